import { expect } from "chai";
import { describe, it } from "mocha";
import type { Table } from "../../lib/columns/read/table.js";
import { createTableShelf } from "../../lib/engine/table-shelf.js";

/** A shelf of tables that are made up, of so many chunks, and a list of what happened to them. */
function shelfOf(limits: { tablesMin: number; tablesMax: number; chunksMax: number }) {
  const events: string[] = [];
  const shelf = createTableShelf("/data", limits, (path, { generation = "" } = {}) => {
    const name = path.slice("/data/".length);
    events.push(`+${name}`);
    const table: Pick<Table, "name" | "generation" | "close"> & { columns: { chunkCount: number }[] } = {
      name, generation, columns: [{ chunkCount: Number(/\d+$/.exec(name)?.[0] ?? 1) }], close: () => { events.push(`-${name}`); },
    };
    return table as unknown as Table;
  });
  const open = (...names: string[]): void => { for (const name of names) shelf.open({ name, generation: "g" }); };
  return { shelf, events, open };
}

describe("the tables that an engine keeps open", () => {
  it("are opened once, and the one used longest ago is closed when there are too many", () => {
    const { events, open } = shelfOf({ tablesMin: 1, tablesMax: 2, chunksMax: 100 });
    open("a1", "b1", "a1", "c1", "a1");
    expect(events).to.deep.equal(["+a1", "+b1", "+c1", "-b1"]);
  });

  it("are fewer where they are large, and never fewer than some", () => {
    const { events, open } = shelfOf({ tablesMin: 2, tablesMax: 9, chunksMax: 10 });
    open("a9", "b9", "c1", "d1");
    expect(events).to.deep.equal(["+a9", "+b9", "+c1", "-a9", "+d1", "-b9"]);
  });

  it("are closed by name, by generation, and with the engine", () => {
    const { shelf, events, open } = shelfOf({ tablesMin: 9, tablesMax: 9, chunksMax: 10 });
    open("a1", "b1", "c1");
    shelf.forget(new Set(["a1"]));
    shelf.drop({ name: "b1", generation: "other" });
    shelf.drop({ name: "b1", generation: "g" });
    shelf.close();
    expect(events.slice(3)).to.deep.equal(["-a1", "-b1", "-c1"]);
  });
});
