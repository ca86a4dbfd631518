// shells.test.mjs - completion in real shells, and man pages as real programs read them.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { Stack, root } from "../harness.mjs";
import { run, taskctl } from "./terminal.mjs";

const has = (program) => { try { execFileSync("sh", ["-c", `command -v ${program}`]); return true; } catch { return false; } };
const missing = (program) => !has(program) && `${program} is not installed`;

let stack, folder, env;
before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "taskctl-shells-"));
  stack = await Stack.start({ gateways: 0 });
  env = { TASKD_URL: stack.taskdUrl, REDIS_URL: stack.redisUrl, JWT_SECRET: stack.secret };
});
after(async () => {
  await stack.stop();
  await rm(folder, { recursive: true });
});

const rows = await readFile(path.join(root, "taskd/ctl/commands.def"), "utf8");
/** Every command that is not hidden: ["list", "dead list", …]. */
const commands = [...rows.matchAll(/^COMMAND\(\w+, "([\w ]+)", "[^"]*", -?\d+, -?\d+, \w+, (?!NULL)\w+,/gm)].map((m) => m[1]);

test("the commands of the table are the commands of the overview", async () => {
  assert.ok(commands.length >= 28, commands.join());
  const { out } = await run([taskctl, "help"]);
  const told = [...out.split("options of every command")[0].matchAll(/^ {2}(\w[\w ]*?) {2,}\S/gm)].map((m) => m[1]);
  assert.deepEqual(told, commands);
});

// Each gives what the shell would offer at the end of a line, one a line.
const shells = {
  bash: (line) => run(["bash", "--norc", "-c", `
    source <("$0" completion bash)
    read -ra COMP_WORDS <<<"$1"
    [[ $1 == *" " ]] && COMP_WORDS+=("")
    [[ $1 == *"="* ]] && { last=\${COMP_WORDS[-1]}; COMP_WORDS[-1]=\${last%%=*}; COMP_WORDS+=("=" "\${last#*=}"); }
    COMP_WORDS[0]=$0
    COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
    _taskctl
    printf '%s\\n' "\${COMPREPLY[@]}"`, taskctl, line], { env }),
  // A shell within a shell, as somebody who types: zsh completes on a terminal alone. In the table
  // of descriptions, two blanks part a word from what is said of it.
  zsh: async (line) => {
    const script = `
      zmodload zsh/zpty
      zpty -w shell 2>/dev/null
      zpty shell zsh -f
      () {
        zpty -w shell "PATH=\${0:h}:$PATH PS1='PROMPT''> '; unsetopt zle_bracketed_paste; stty cols 200; autoload -Uz compinit && compinit -D -u -d $2"
        zpty -w shell "source <(taskctl completion zsh); bindkey '^I' list-choices; zstyle ':completion:*' list-prompt ''; LISTMAX=0"
        zpty -w shell "echo REA''DY"
        zpty -r -m shell all '*READY*PROMPT>*'
        zpty -n -w shell "$1"$'\\t\\x15'"echo DO''NE"$'\\n'
        zpty -r -m shell all '*DONE*'
        print -r -- "$all"
      } "$@"`;
    const result = await run(["zsh", "-f", "-c", `0=${taskctl}; ${script.replaceAll("${0:h}", path.dirname(taskctl))}`, "zsh", line, path.join(folder, "zcompdump")], { env });
    const words = result.out.replaceAll(/\x1b\[[0-9;?]*[A-Za-z]/g, "").replaceAll("\x07", "").split(/[\r\n]+/)
      .flatMap((l) => / -- /.test(l) ? [l.split(/ +-- /)[0]] : l.split(/ {2,}/)).map((w) => w.trim()).filter(Boolean);
    return { ...result, out: words.join("\n") };
  },
  fish: async (line) => {
    const result = await run(["fish", "--no-config", "-c", `
      set -x PATH ${path.dirname(taskctl)} $PATH
      taskctl completion fish | source
      complete -C "$argv[1]"`, line], { env: { ...env, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder } });
    return { ...result, out: result.out.split("\n").map((l) => l.split("\t")[0]).join("\n") };
  },
};

for (const [shell, complete] of Object.entries(shells)) describe(shell, { skip: missing(shell) }, () => {
  const offers = async (line) => {
    const { code, out, err } = await complete(`taskctl ${line}`);
    assert.equal(code, 0, err);
    return out.split("\n").filter(Boolean).map((w) => w.replace(/[ =]$/, ""));
  };
  const offered = async (line, ...words) => {
    const all = await offers(line);
    for (const word of words) assert.ok(all.includes(word), `"${line}" offers ${word}, among ${all.join(" ")}`);
  };

  test("takes its script without a word", async () => {
    const script = await run([taskctl, "completion", shell]);
    await writeFile(path.join(folder, shell), script.out);
    const { code, err } = await run([shell, "-n", path.join(folder, shell)]);
    assert.equal(code, 0, err);
    assert.equal(err, "");
  });
  test("offers commands, and the members of a group", async () => {
    await offered("", ...new Set(commands.map((c) => c.split(" ")[0])));
    await offered("dead ", "list", "show", "retry", "drop");
    const some = await offers("cla");
    assert.ok(some.includes("clarify") && !some.includes("list"), some.join());
  });
  test("offers a command's options and those of every command", async () => {
    await offered("list --", "--status", "--mine", "--output", "--color");
    await offered("dead retry --", "--all", "--code", "--output");
    assert.ok(!(await offers("get --")).includes("--status"));
  });
  test("offers what an option or a word may be", async () => {
    await offered("list --status ", "received", "needs_clarification", "merged", "failed");
    await offered("list -o ", "table", "json", "ndjson");
    await offered("wait 65f0c0ffee65f0c0ffee65f0 --for ", "merged");
    await offered("completion ", "bash", "zsh", "fish");
    await offered("publish ", "analyzing", "dispatched", "pr_merged");
    await offered("flags set ", "rollout_percent");
  });
  test("offers the tasks that there are", async () => {
    await offered("get ", await stack.createTask(undefined, { base: stack.taskdUrl }));
  });
});

test("bash completes behind a =, too", { skip: missing("bash") }, async () => {
  const { out } = await shells.bash("taskctl list --output=nd");
  assert.equal(out, "ndjson\n");
});

test("another shell is refused with the names of those that are known", async () => {
  const { code, err } = await run([taskctl, "completion", "tcsh"]);
  assert.equal(code, 2);
  assert.match(err, /bash, zsh and fish are known, not 'tcsh'/);
});

describe("man pages", () => {
  let pages;
  before(async () => {
    assert.equal((await run([taskctl, "man", path.join(folder, "man1")])).code, 0);
    pages = (await readdir(path.join(folder, "man1"))).map((f) => path.join(folder, "man1", f));
  });

  test("there is one of each command, and one of all", () => {
    const names = pages.map((p) => path.basename(p)).sort();
    assert.deepEqual(names, ["taskctl.1", ...commands.map((c) => `taskctl-${c.replace(" ", "-")}.1`)].sort());
  });
  test("groff has nothing to say against them", { skip: missing("groff") }, async () => {
    for (const page of pages) {
      const { code, err, out } = await run(["groff", "-man", "-ww", "-Tutf8", "-z", page]);
      assert.equal(code, 0, err);
      assert.equal(err + out, "", page);
    }
  });
  test("nor has mandoc", { skip: missing("mandoc") }, async () => {
    // It would like a date; ours have the version in its place, so that two builds of one version are the same.
    const { out, err } = await run(["mandoc", "-Tlint", "-W", "warning", ...pages]);
    assert.equal((out + err).split("\n").filter((l) => l && !/missing date/.test(l)).join("\n"), "");
  });
  test("man shows them, with options, examples and exit codes", { skip: missing("man") }, async () => {
    const { out } = await run(["man", "-l", pages.find((p) => p.endsWith("taskctl-wait.1"))], { env: { MANWIDTH: "80", MANPAGER: "cat" } });
    const text = out.replaceAll(/.\x08/g, "");
    for (const part of [/TASKCTL-WAIT\(1\)/, /^NAME\n +taskctl-wait - wait until/m, /--for STATUS,\.\.\./, /^EXAMPLES$/m, /taskctl wait 65f0c0ffee65f0c0ffee65f0 --for=merged --timeout 30m/, /^ +124 +what was waited for/m]) assert.match(text, part);
  });
  test("a folder that cannot be made is an error that names it", async () => {
    const { code, err } = await run([taskctl, "man", "/proc/nowhere/man1"]);
    assert.equal(code, 1);
    assert.match(err, /\/proc\/nowhere\/man1: No such file or directory/);
  });
});
