// rooms.ts - which rooms the page wants to be in, and whether it is: joined once however many
// components ask, joined again after a reconnect that was not a recovery, asked for again where
// the server said "Too many requests" (twelve tabs that wake at once), left when nobody asks
// any more.
//
// The transport is two functions, so that all of this is tested without a socket.
import { waitBefore } from "./backoff";
import { Store } from "./store";
import type { Ack } from "../model/wire";

export type RoomState =
  | { kind: "outside" }
  | { kind: "joining" }
  | { kind: "joined" }
  | { kind: "refused"; code: string; message: string };

export interface Door {
  /** Resolves with the answer; rejects where none came (lost, or too late). */
  join(room: string): Promise<Ack>;
  leave(room: string): void;
}

interface Room {
  wanted: number;
  state: Store<RoomState>;
  attempt: number;
  timer: ReturnType<typeof setTimeout> | null;
}

const OUTSIDE: RoomState = { kind: "outside" };
const JOINING: RoomState = { kind: "joining" };
const JOINED: RoomState = { kind: "joined" };

/** Refusals that pass: asked again. All others stand until the next connection. */
const PASSING: ReadonlySet<string> = new Set(["too_many", "unavailable", "internal"]);
const LEAVE_AFTER_MS = 1000; // a page that is left and entered again within a moment stays in

export class Rooms {
  private readonly rooms = new Map<string, Room>();
  private epoch = 0;
  private isOpen = false;

  constructor(private readonly door: Door, private readonly onSettled: () => void) {}

  state(name: string): Store<RoomState> {
    return this.room(name).state;
  }

  /** Want to be in a room, until the function given back is called. */
  enter(name: string): () => void {
    const room = this.room(name);
    if (room.wanted++ === 0 && room.state.get().kind === "refused") room.state.set(OUTSIDE);
    if (room.timer !== null && room.state.get().kind !== "joining") this.clear(room);
    if (this.isOpen && room.state.get().kind === "outside") void this.join(name, room);
    let isLeft = false;
    return () => {
      if (isLeft) return;
      isLeft = true;
      if (--room.wanted === 0) this.leaveSoon(name, room);
    };
  }

  /** Connected. Recovered: what was joined still is; what had no answer is asked for again. */
  open(isRecovered: boolean): void {
    this.isOpen = true;
    this.epoch++;
    for (const [name, room] of this.rooms) {
      if (room.wanted === 0) continue;
      if (isRecovered && room.state.get().kind === "joined") continue;
      this.clear(room);
      room.attempt = 0;
      void this.join(name, room);
    }
    this.settle();
  }

  /** The connection is lost: what was joined may come back with a recovery. */
  close(): void {
    this.isOpen = false;
    this.epoch++;
    for (const room of this.rooms.values()) {
      if (room.state.get().kind !== "joined") {
        this.clear(room);
        room.state.set(OUTSIDE);
      }
    }
  }

  /** The server takes back that we are in: we may not be any more, or it cannot say just now. */
  doubted(name: string, code: string, message: string): void {
    const room = this.rooms.get(name);
    if (!room) return;
    if (!PASSING.has(code)) {
      room.state.set({ kind: "refused", code, message });
    } else if (room.state.get().kind === "joined") {
      room.state.set(JOINING);
      this.joinLater(name, room);
    }
  }

  /** Try the rooms again that a feature kept us out of, where that is on by now. */
  retryFeatures(isOn: (room: string) => boolean): void {
    for (const [name, room] of this.rooms) {
      const state = room.state.get();
      if (!this.isOpen || room.wanted === 0 || state.kind !== "refused" || state.code !== "feature_off") continue;
      if (isOn(name)) void this.join(name, room);
    }
  }

  joined(): string[] {
    return [...this.rooms].filter(([, room]) => room.state.get().kind === "joined").map(([name]) => name);
  }

  /** Is every room that is wanted either in or refused? */
  isSettled(): boolean {
    return [...this.rooms.values()].every((room) => {
      const { kind } = room.state.get();
      return room.wanted === 0 || kind === "joined" || kind === "refused";
    });
  }

  private room(name: string): Room {
    let room = this.rooms.get(name);
    if (!room) {
      room = { wanted: 0, state: new Store<RoomState>(OUTSIDE), attempt: 0, timer: null };
      this.rooms.set(name, room);
    }
    return room;
  }

  private clear(room: Room): void {
    if (room.timer !== null) clearTimeout(room.timer);
    room.timer = null;
  }

  private settle(): void {
    if (this.isOpen && this.isSettled()) this.onSettled();
  }

  private async join(name: string, room: Room): Promise<void> {
    const epoch = this.epoch;
    room.state.set(JOINING);
    let answer: Ack | null = null;
    try {
      answer = await this.door.join(name);
    } catch {
      answer = null; // lost, or late: if the connection stands, asked for again
    }
    if (epoch !== this.epoch) return;
    if (answer?.ok) {
      room.attempt = 0;
      room.state.set(JOINED);
    } else if (answer && !PASSING.has(answer.error.code)) {
      room.state.set({ kind: "refused", code: answer.error.code, message: answer.error.message });
    } else {
      this.joinLater(name, room);
      return;
    }
    if (room.wanted === 0) this.leaveSoon(name, room);
    this.settle();
  }

  private joinLater(name: string, room: Room): void {
    room.timer = setTimeout(() => {
      room.timer = null;
      if (this.isOpen && room.wanted > 0) void this.join(name, room);
      else if (room.wanted === 0) room.state.set(OUTSIDE);
    }, 500 + waitBefore(room.attempt++));
  }

  private leaveSoon(name: string, room: Room): void {
    if (room.state.get().kind === "joining") return; // its answer comes by here
    this.clear(room);
    room.timer = setTimeout(() => {
      room.timer = null;
      if (room.wanted > 0) return;
      if (room.state.get().kind === "joined" && this.isOpen) this.door.leave(name);
      room.state.set(OUTSIDE);
      this.rooms.delete(name);
      this.settle();
    }, LEAVE_AFTER_MS);
  }
}
