// db.ts - what is kept in the browser (IndexedDB), each record under its person: the cache for
// the first paint, and forms that wait for the network. Where there is no IndexedDB (private
// windows of some browsers), memory serves as long as the page is open.
import { openDB, type DBSchema, type IDBPDatabase } from "idb";
import type { Letter } from "../model/letters";
import type { Person } from "../model/wire";

export interface Kept {
  /** `${owner}` or `${owner}/task/…`. */
  key: string;
  owner: string;
  savedAt: number;
  value: unknown;
}

interface Schema extends DBSchema {
  kept: { key: string; value: Kept; indexes: { owner: string } };
  letters: { key: string; value: Letter; indexes: { owner: string } };
}

export type Table = "kept" | "letters";
export type Records = { kept: Kept; letters: Letter };

export interface Database {
  put<T extends Table>(table: T, record: Records[T]): Promise<void>;
  get<T extends Table>(table: T, key: string): Promise<Records[T] | undefined>;
  of<T extends Table>(table: T, owner: string): Promise<Records[T][]>;
  remove(table: Table, key: string): Promise<void>;
  removeAll(table: Table, owner: string): Promise<void>;
}

export function ownerOf(person: Person): string {
  return `${person.org}/${person.sub}`;
}

class Disk implements Database {
  constructor(private readonly db: IDBPDatabase<Schema>) {}

  async put<T extends Table>(table: T, record: Records[T]): Promise<void> {
    if (table === "kept") await this.db.put("kept", record as Kept);
    else await this.db.put("letters", record as Letter);
  }

  async get<T extends Table>(table: T, key: string): Promise<Records[T] | undefined> {
    return (await this.db.get(table, key)) as Records[T] | undefined;
  }

  async of<T extends Table>(table: T, owner: string): Promise<Records[T][]> {
    const found = table === "kept"
      ? await this.db.getAllFromIndex("kept", "owner", owner)
      : await this.db.getAllFromIndex("letters", "owner", owner);
    return found as Records[T][];
  }

  async remove(table: Table, key: string): Promise<void> {
    await this.db.delete(table, key);
  }

  async removeAll(table: Table, owner: string): Promise<void> {
    const records = await this.of(table, owner);
    const change = this.db.transaction(table, "readwrite");
    await Promise.all([...records.map(({ key }) => change.store.delete(key)), change.done]);
  }
}

class Memory implements Database {
  private readonly kept = new Map<string, Kept>();
  private readonly letters = new Map<string, Letter>();

  async put<T extends Table>(table: T, record: Records[T]): Promise<void> {
    if (table === "kept") this.kept.set((record as Kept).key, record as Kept);
    else this.letters.set((record as Letter).key, record as Letter);
  }

  async get<T extends Table>(table: T, key: string): Promise<Records[T] | undefined> {
    return this[table].get(key) as Records[T] | undefined;
  }

  async of<T extends Table>(table: T, owner: string): Promise<Records[T][]> {
    return [...this[table].values()].filter((r) => r.owner === owner) as Records[T][];
  }

  async remove(table: Table, key: string): Promise<void> {
    this[table].delete(key);
  }

  async removeAll(table: Table, owner: string): Promise<void> {
    for (const record of await this.of(table, owner)) this[table].delete(record.key);
  }
}

export async function openDatabase(): Promise<Database> {
  try {
    return new Disk(await openDB<Schema>("taskwire", 1, {
      upgrade(db) {
        for (const table of ["kept", "letters"] as const) {
          db.createObjectStore(table, { keyPath: "key" }).createIndex("owner", "owner");
        }
      },
    }));
  } catch {
    return new Memory();
  }
}
