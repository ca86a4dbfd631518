//! The Rust client against the echo application or a gateway.
use rust_socketio::client::Client;
use rust_socketio::{ClientBuilder, Event, Payload, TransportType};
use serde_json::{json, Value};
use std::sync::mpsc::{channel, Receiver};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Default)]
struct Tap {
    count: u32,
    failed: u32,
}

impl Tap {
    fn check(&mut self, name: &str, passed: bool, detail: impl std::fmt::Debug) {
        self.count += 1;
        if passed {
            println!("ok {} - {}", self.count, name);
        } else {
            self.failed += 1;
            println!("not ok {} - {} ({:?})", self.count, name, detail);
        }
    }
}

fn texts(payload: Payload) -> Vec<Value> {
    match payload {
        Payload::Text(values) => values,
        Payload::Binary(bytes) => vec![json!(bytes.to_vec())],
        #[allow(deprecated)]
        Payload::String(text) => vec![json!(text)],
    }
}

fn transport(name: &str) -> TransportType {
    match name {
        "websocket" => TransportType::Websocket,
        "polling" => TransportType::Polling,
        _ => TransportType::Any,
    }
}

struct Connection {
    client: Client,
    events: Receiver<(String, Vec<Value>)>,
}

impl Connection {
    fn open(url: &str, kind: &str, namespace: &str, token: &str) -> Result<Self, rust_socketio::Error> {
        let (tell, events) = channel();
        let told = std::sync::Mutex::new(tell);
        let client = ClientBuilder::new(url)
            .namespace(namespace)
            .auth(json!({ "token": token }))
            .transport_type(transport(kind))
            .reconnect(false)
            .on_any(move |event: Event, payload, _| {
                let _ = told.lock().unwrap().send((String::from(event), texts(payload)));
            })
            .connect()?;
        Ok(Self { client, events })
    }

    fn next(&self, name: &str) -> Vec<Value> {
        loop {
            match self.events.recv_timeout(TIMEOUT) {
                Ok((n, values)) if n == name => return values,
                Ok(_) => continue,
                Err(_) => panic!("{name} did not come"),
            }
        }
    }

    fn call(&self, name: &str, payload: Value) -> Vec<Value> {
        let (tell, answers) = channel();
        let told = std::sync::Mutex::new(tell);
        self.client
            .emit_with_ack(name, payload, TIMEOUT, move |payload: Payload, _| {
                let _ = told.lock().unwrap().send(texts(payload));
            })
            .expect("emit");
        answers.recv_timeout(TIMEOUT).expect("an acknowledgement")
    }
}

fn echo(tap: &mut Tap, url: &str, kind: &str) {
    let c = Connection::open(url, kind, "/", "abc").expect("connect");
    tap.check("the auth payload arrives", c.next("auth") == vec![json!({"token": "abc"})], "");
    c.client.emit("message", json!({"a": [1, 2.5], "snow": "☃ 𝄞"})).expect("emit");
    tap.check("an event comes back", c.next("message-back") == vec![json!({"a": [1, 2.5], "snow": "☃ 𝄞"})], "");
    c.client.emit("message", vec![0u8, 1, 254, 255]).expect("emit");
    tap.check("binary comes back", c.next("message-back") == vec![json!([0, 1, 254, 255])], "");
    let answer = c.call("message-with-ack", json!({"n": 7}));
    let flat = if answer.len() == 1 && answer[0].is_array() { answer[0].as_array().unwrap().clone() } else { answer.clone() };
    tap.check("an acknowledgement carries its arguments", flat == vec![json!({"n": 7})], answer);
    for i in 0..200 {
        c.client.emit("message", json!(i)).expect("emit");
    }
    let order: Vec<Value> = (0..200).map(|_| c.next("message-back")[0].clone()).collect();
    tap.check("two hundred events keep their order", order == (0..200).map(|i| json!(i)).collect::<Vec<_>>(), &order);
    c.client.disconnect().expect("disconnect");
    let c = Connection::open(url, kind, "/custom", "abc").expect("connect");
    tap.check("a second namespace opens", c.next("auth") == vec![json!({"token": "abc"})], "");
    c.client.disconnect().expect("disconnect");
}

fn gateway(tap: &mut Tap, url: &str, kind: &str, token: &str, task: &str) {
    let c = Connection::open(url, kind, "/", token).expect("connect");
    // connect() does not wait to be let in: the join comes early, and is kept until then.
    let ok = |answer: &Vec<Value>| format!("{answer:?}").contains("\"ok\": Bool(true)");
    let answer = c.call("task:join", json!({ "taskId": task }));
    tap.check("a join is acknowledged", ok(&answer), &answer);
    tap.check("the task's state came", c.next("task:state")[0]["taskId"] == task, "");
    let answer = c.call("dashboard:join", json!({}));
    tap.check("a dashboard join is acknowledged", ok(&answer), &answer);
    println!("# joined");
    let mut seqs: Vec<i64> = Vec::new();
    loop {
        let event = c.next("task:event_added").remove(0);
        seqs.push(event["seq"].as_i64().unwrap());
        if event["event"]["payload"]["text"] == "done" {
            break;
        }
    }
    tap.check("live events come without gap or repeat", seqs.windows(2).all(|w| w[1] == w[0] + 1), &seqs);
    c.client.disconnect().expect("disconnect");
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut tap = Tap::default();
    match args[2].as_str() {
        "echo" => echo(&mut tap, &args[0], &args[1]),
        _ => gateway(&mut tap, &args[0], &args[1], &args[3], &args[4]),
    }
    println!("1..{}", tap.count);
    std::process::exit(if tap.failed == 0 { 0 } else { 1 });
}
