import { expect } from "chai";
import { describe, it } from "mocha";
import { completeLine, type KnownNames } from "../../lib/cli/prompt/completion.js";

const column = (name: string) => ({ name, dtype: "int64" });
const known: KnownNames = {
  verbs: ["close", "files", "groupby", "info", "last_call_duration", "ping", "rows"],
  tables: [
    { table: "flights", columns: ["delay", "destination", "distance", "origin", "Flight Date"].map(column) },
    { table: "airports.bcolz", columns: ["city", "iata", "it's"].map(column) },
  ],
};

describe("Tab at the prompt", () => {
  /** What is typed up to the cursor, what is offered, and the part of the line that it replaces. */
  const cases: readonly (readonly [line: string, words: readonly string[], typed: string])[] = [
    ["rpc.g", ["groupby"], "g"],
    ["rpc.rollback('fl", ["flights"], "fl"],
    ["rpc.generations('", ["airports.bcolz", "flights"], ""],
    ["t = await rpc.", ["close", "files", "groupby", "info", "last_call_duration", "ping", "rows"], ""],
    ["rpc.groupby('fl", ["flights"], "fl"],
    ["rpc.groupby(['flights', \"", ["airports.bcolz", "flights"], ""],
    ["rpc.groupby({tables: 'a", ["airports.bcolz"], "a"],
    ["rpc.groupby('flights', ['d", ["delay", "destination", "distance"], "d"],
    ["rpc.groupby('flights', ['origin', 'F", ["Flight Date"], "F"],
    ["rpc.groupby('flights.bcolz', ['or", ["origin"], "or"],
    ["rpc.groupby(['flights-*.bcolzs'], ['or", ["origin"], "or"],
    ["rpc.rows('flights-3.bcolzs', ['or", ["origin"], "or"],
    ["rpc.groupby('airports', ['", ["city", "iata"], ""],
    ["rpc.groupby('unknown', ['i", ["iata"], "i"],
    ["rpc.groupby({tables: ['airports'], keys: ['c", ["city"], "c"],
    ["rpc.groupby({keys: ['d", ["delay", "destination", "distance"], "d"],
    ["rpc.groupby('flights', [], ['dis", ["distance"], "dis"],
    ["rpc.groupby('flights', [], [['dis", ["distance"], "dis"],
    ["rpc.groupby('flights', [], [['delay', 'me", ["mean", "median"], "me"],
    ["rpc.groupby('flights', [], [['delay', 'sum'], [['delay', 'dis", ["distance"], "dis"],
    ["rpc.groupby('flights', [], [['delay', 'quantile', 'p90', {", ["bins", "by", "error", "high", "k", "low", "p"], ""],
    ["rpc.groupby('flights', [{expr: 'bin(dis", ["distance"], "dis"],
    ["rpc.groupby('flights', [{expr: 'time_", ["time_bucket"], "time_"],
    ["rpc.groupby('flights', [{e", ["expr"], "e"],
    ["rpc.groupby('flights', [], [], [['ori", ["origin"], "ori"],
    ["rpc.groupby('flights', [], [], [['origin', 'n", ["not between", "not in", "not like"], "n"],
    ["rpc.groupby('flights', [], [], [{or: [['ori", ["origin"], "ori"],
    ["rpc.groupby('flights', [], [], [{not: ['origin', 'li", ["like"], "li"],
    ["rpc.groupby('flights', [], [], [{n", ["not"], "n"],
    ["rpc.groupby('flights', [], [], 'delay > 5 and dis", ["distance"], "dis"],
    ["rpc.groupby('flights', [], [], ['delay > dis", ["distance"], "dis"],
    ["rpc.groupby('flights', ['origin'], [], [], {aggr", ["aggregate"], "aggr"],
    ["rpc.groupby('flights', ['origin'], [], [], {limit: 10, o", ["offset", "onPartial", "order"], "o"],
    ["rpc.groupby('flights', ['origin'], [], [], {order: ['or", ["origin"], "or"],
    ["rpc.groupby('flights', ['origin'], [], [], {order: [['origin', 'de", ["desc"], "de"],
    ["rpc.groupby('flights', ['origin'], [], [], {partial: '", ["allow", "error"], ""],
    ["rpc.groupby('flights', ['origin'], [], [], {cache: false, missing: 'e", ["empty", "error"], "e"],
    ["rpc.groupby({me", ["measures"], "me"],
    ["rpc.rows('flights', ['origin'], [], [], {o", ["offset", "order"], "o"],
    ["rpc.ping({t", ["timeout"], "t"],
    ["rpc.sleep(1, {", ["affinity", "signal", "timeout", "worker"], ""],
    ["rpc.readfile('notes.txt', {w", ["worker"], "w"],
    ["rpc.execute_code({", ["affinity", "args", "function", "kwargs", "signal", "timeout", "wait", "worker"], ""],
    ["rpc.execute_code({function: 'fs.readdirSync', a", ["affinity", "args"], "a"],
    ["rpc.distribute(['fl", ["flights"], "fl"],
    ["rpc.distribute(['flights'], 'shop', {", ["onProgress", "replicas", "signal", "timeout", "wait"], ""],
    ["rpc.download({f", ["filenames"], "f"],
    ["rpc.downloads({v", ["verbose"], "v"],
    ["rpc.loglevel('de", ["debug"], "de"],
    ["const a = (await rpc.groupby('flights', ['origin'])).rows(); rpc.groupby('airports', ['i", ["iata"], "i"],
    ["const a = (await rpc.groupby('flights', ['origin'])).rows(); rpc.groupby('airports', ['d", ["delay", "destination", "distance"], "d"],
    ["rpc.groupby('flights', ['it\\'s', 'd", ["delay", "destination", "distance"], "d"],
  ];
  for (const [line, words, typed] of cases) {
    it(`offers ${words.join(", ")} after ${line}`, () => {
      expect(completeLine(line, known)).to.deep.equal({ words, typed });
    });
  }

  it("leaves to JavaScript what stands in no call of rpc, and values that it cannot know", () => {
    for (const line of ["", "Math.ma", "console.log('fl", "rpc.groupby('flights', ['origin']).th", "'rpc.groupby(", "[1, 2].map((x) => x", "rpc.groupby(ta", "rpc.groupby('flights', [], [], [['origin', 'in', ['A"]) {
      const found = completeLine(line, known);
      expect(found === undefined || found.words.length === 0, line).to.equal(true);
    }
  });

  it("comes back from any line, whatever is typed", () => {
    const signs = "rpc.groupby(['{\"`\\:,)]}a ";
    let line = "";
    for (let turn = 0, state = 7; turn < 20_000; turn++) {
      state = (state * 48_271) % 2_147_483_647;
      line = line.length > 40 ? "" : line + (state % 5 === 0 ? "rpc.groupby(" : signs[state % signs.length]!);
      completeLine(line, known);
    }
  });
});
