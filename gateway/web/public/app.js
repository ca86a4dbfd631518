// app.js - a first, plain page: the dashboard and a task, moving by themselves.
//
// Signs in as a demo person (development only), joins the dashboard, and joins a task when
// its row is opened. Texts from the server are always set as text, never as markup.
/* global io */
const people = [
  { sub: "ann", name: "Ann", org: "demo" },
  { sub: "bob", name: "Bob", org: "demo" },
  { sub: "eve", name: "Eve", org: "other" },
];
const words = {
  received: "Received", analyzing: "Analyzing", needs_clarification: "Needs clarification",
  dispatched: "Dispatched", coding: "Coding", pr_open: "PR open", merged: "Merged", failed: "Failed",
};
const $ = (id) => document.getElementById(id);
const tasks = new Map();             // taskId -> list row, with seq
const counts = { org: null, private: null };
let me = people[0], token = "", socket = null, open = null;

// --- small things ---

function element(tag, text, attributes = {}) {
  const e = document.createElement(tag);
  if (text !== undefined) e.textContent = text;
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  return e;
}

function link(text, url) {
  return element("a", text, { href: url, target: "_blank", rel: "noopener noreferrer" });
}

function safe(url) {
  return /^https:\/\//.test(url || "") || /^http:\/\/(localhost|127\.0\.0\.1)[:/]/.test(url || "");
}

function ago(time) {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(time)) / 1000));
  const [n, unit] = seconds < 60 ? [seconds, "second"] : seconds < 3600 ? [Math.floor(seconds / 60), "minute"]
    : seconds < 86400 ? [Math.floor(seconds / 3600), "hour"] : [Math.floor(seconds / 86400), "day"];
  return new Intl.RelativeTimeFormat("en").format(-n, unit);
}

async function call(method, path, body, headers = {}) {
  const answer = await fetch(path, {
    method, body: body && JSON.stringify(body),
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json", ...headers },
  });
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(json.detail || json.title || `The server answered ${answer.status}`);
  return json;
}

// --- dashboard ---

function drawRow(task, isNew) {
  const id = `task-${task.taskId}`;
  let row = $(id);
  if (!row) {
    row = $("row").content.firstElementChild.cloneNode(true);
    row.id = id;
    row.addEventListener("click", (e) => e.target.tagName !== "A" && show(task.taskId));
    row.addEventListener("keydown", (e) => e.key === "Enter" && show(task.taskId));
    if (isNew) row.classList.add("new");
  }
  const ended = task.status === "merged" || task.status === "failed";
  const list = $(ended ? "ended" : "active");
  if (row.parentElement !== list) list.prepend(row);
  const badge = row.querySelector(".badge");
  badge.textContent = words[task.status] || task.status;
  badge.className = `badge ${task.status}`;
  row.querySelector(".title").textContent = task.title;
  const by = row.querySelector(".by");
  by.textContent = `created by @${task.creator} · ${ago(task.createdAt)}${task.isPrivate ? " · only for you" : ""}`;
  by.title = task.createdAt;
  const links = row.querySelector(".links");
  links.replaceChildren();
  if (task.issueNumber && safe(task.issueUrl)) links.append(link(`#${task.issueNumber}`, task.issueUrl));
  if (task.prNumber && safe(task.prUrl)) links.append(link(`PR ${task.prNumber} ${task.prState || ""}`, task.prUrl));
}

function drawCounts() {
  const sum = (key) => (counts.org?.[key] || 0) + (counts.private?.[key] || 0);
  $("counts").textContent = counts.org
    ? `${sum("activeCount")} active · ${sum("completedCount")} completed · ${sum("failedCount")} failed`
    : "";
}

function takeRow(row, isNew) {
  const known = tasks.get(row.taskId);
  if (known && known.seq >= row.seq) return;
  tasks.set(row.taskId, row);
  drawRow(row, isNew && !known);
}

function takeCounts(scope, c) {
  if (counts[scope] && counts[scope].rev > c.rev) return;
  counts[scope] = c;
  drawCounts();
}

function takeDashboard(state) {
  tasks.clear();
  $("active").replaceChildren();
  $("ended").replaceChildren();
  for (const row of [...state.tasks].sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1))) takeRow(row, false);
  counts.org = counts.private = null;
  takeCounts("org", state);
  takeCounts("private", state.private);
}

// --- one task ---

function questionForm(task) {
  const form = element("form", undefined, { id: "questions", "data-of": `${task.taskId} ${task.statusSince}` });
  const fields = task.questions.map((q, i) => {
    const field = element("textarea", undefined, { required: "", maxlength: "4000", id: `answer-${i}` });
    form.append(element("label", q, { for: `answer-${i}` }), field);
    return field;
  });
  const button = element("button", "Send answers");
  const problem = element("p", "", { class: "problem", role: "alert" });
  form.append(button, problem);
  form.addEventListener("submit", async (e) => {
    e.preventDefault();
    button.disabled = true;
    try {
      await call("POST", `/api/tasks/${task.taskId}/clarify`, { answers: fields.map((f) => f.value) });
      button.textContent = "Re-analyzing…";
    } catch (error) {
      problem.textContent = error.message;
      button.disabled = false;
    }
  });
  return form;
}

// The form stays the same element while its questions stand, so that nothing typed is lost.
function drawQuestions(panel, task, before) {
  if (task.status !== "needs_clarification" || !task.questions?.length) return;
  panel.append(before?.dataset.of === `${task.taskId} ${task.statusSince}` ? before : questionForm(task));
}

function drawDetail() {
  const panel = $("detail");
  panel.hidden = !open;
  if (!open) return;
  const close = element("button", "Close");
  close.addEventListener("click", hide);
  const events = element("ol");
  for (const e of open.events) {
    const item = element("li");
    item.append(element("strong", e.eventType.replaceAll("_", " ")), ` ${ago(e.createdAt)} `);
    if (Object.keys(e.payload || {}).length) item.append(element("code", JSON.stringify(e.payload)));
    item.title = e.createdAt;
    events.append(item);
  }
  const form = $("questions"), focused = document.activeElement;
  panel.replaceChildren(close, element("h2", open.title), element("span", words[open.status], { class: `badge ${open.status}` }),
    element("p", open.description), events);
  drawQuestions(panel, open, form);
  if (panel.contains(focused)) focused.focus();
}

function show(taskId) {
  if (open) hide();
  socket.emit("task:join", { taskId }, (answer) => {
    if (!answer.ok) console.warn(answer.error.message);
  });
}

function hide() {
  if (open) socket.emit("task:leave", { taskId: open.taskId });
  open = null;
  drawDetail();
}

function takeTaskEvent(name, p) {
  if (name === "task:state") {
    open = p;
  } else if (open && p.taskId === open.taskId) {
    if (name === "task:event_added") {
      if (p.event.seq > (open.events.at(-1)?.seq || 0)) open.events.push(p.event);
    } else {
      Object.assign(open, p);
    }
  } else {
    return;
  }
  drawDetail();
}

// --- connection ---

function tell(state, text) {
  $("connection").className = `connection ${state}`;
  $("connection").textContent = text;
}

async function signIn(person) {
  me = person;
  sessionStorage.setItem("person", me.sub);
  socket?.disconnect();
  hide();
  const answer = await fetch("/dev/login", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(me),
  });
  if (!answer.ok) {
    tell("offline", "sign-in is switched off here (DEV_LOGIN)");
    return;
  }
  token = (await answer.json()).token;
  socket = io({ auth: { token }, transports: ["websocket"], forceNew: true });
  socket.on("connect", () => {
    tell("", "catching up");
    socket.emit("dashboard:join", {}, (a) => tell(a.ok ? "live" : "offline", a.ok ? "live" : a.error.message));
    if (open) show(open.taskId);
  });
  socket.on("disconnect", () => tell("offline", "You're offline. Reconnecting…"));
  socket.on("connect_error", (e) => tell("offline", e.message));
  socket.on("dashboard:state", takeDashboard);
  socket.on("dashboard:task_list_updated", (row) => takeRow(row, true));
  socket.on("dashboard:task_removed", ({ taskId }) => { tasks.delete(taskId); $(`task-${taskId}`)?.remove(); });
  socket.on("dashboard:task_count_changed", (c) => takeCounts(c.scope, c));
  socket.onAny((name, payload) => name.startsWith("task:") && takeTaskEvent(name, payload));
}

// --- begin ---

for (const p of people) $("person").append(element("option", `${p.name} (${p.org})`, { value: p.sub }));
$("person").addEventListener("change", (e) => signIn(people.find((p) => p.sub === e.target.value)));
$("new-task").addEventListener("submit", async (e) => {
  e.preventDefault();
  const button = e.target.querySelector("button"), problem = e.target.querySelector(".problem");
  button.disabled = true;
  problem.textContent = "";
  try {
    await call("POST", "/api/tasks", { description: $("description").value, isPrivate: $("private").checked },
      { "Idempotency-Key": crypto.randomUUID() });
    $("description").value = "";
  } catch (error) {
    problem.textContent = error.message;
  }
  button.disabled = false;
});
addEventListener("keydown", (e) => e.key === "Escape" && hide());
setInterval(() => { for (const t of tasks.values()) drawRow(t, false); drawDetail(); }, 20000);
const last = sessionStorage.getItem("person");
$("person").value = (people.find((p) => p.sub === last) || people[0]).sub;
signIn(people.find((p) => p.sub === last) || people[0]);
