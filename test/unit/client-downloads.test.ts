import { existsSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import type { RunningController } from "../../lib/cluster/controller/node.js";
import { connectWith } from "../../lib/client/connect.js";
import { findDirectories } from "../../lib/client/send-tables.js";
import { waitForTicket } from "../../lib/client/ticket-wait.js";
import { progressOfTicket, thinProgress, type TransferProgress } from "../../lib/client/transfer-progress.js";
import { BquerydError, connect, type DownloadInfo, type Rpc } from "../../lib/index.js";
import { ticketPrefix } from "../../lib/wire/download-documents.js";
import { failureOf } from "../support/failure.js";
import { testIdentity } from "../support/s3/server.js";
import { setStage, withIdentity } from "../support/s3/stage.js";
import { openTicketCluster, type TicketCluster } from "../support/ticket-cluster.js";
import { until } from "../support/until.js";
import { writeShards, writeTable } from "../support/write-table.js";

const columns = [{ name: "v", dtype: "int64", values: [1n, 2n, 3n, 4n] }] as const;
const idOf = (name: string): string => name.slice(ticketPrefix.length);

describe("the verbs that bring tables to nodes", function () {
  this.timeout(60_000);
  let cluster: TicketCluster;
  let controller: RunningController;
  let rpc: Rpc;
  let bucket: string;
  let generations: Record<string, string>;
  before(async () => {
    cluster = await openTicketCluster();
    bucket = join(cluster.folder, "bucket");
    await mkdir(bucket);
    const generation = await writeTable(join(cluster.folder, "taxi.bcolz"), columns);
    const shards = await writeShards(["trips-0.bcolzs", "trips-1.bcolzs"].map((name) => join(cluster.folder, name)), columns);
    generations = { "taxi.bcolz": generation, "trips-0.bcolzs": shards[0]!, "trips-1.bcolzs": shards[1]! };
    controller = await cluster.startController();
    rpc = await connectWith(cluster.config);
  });
  after(async () => {
    await rpc.close();
    await cluster.close();
  });

  async function stateOf(name: string): Promise<string | undefined> {
    return (await cluster.registry.tickets.list()).heads.find(({ id }) => id === idOf(name))?.state;
  }
  /** The tickets that are there beside those before. */
  async function newTicket(before: number): Promise<string> {
    await until("there is a ticket", async () => (await rpc.downloads()).length > before);
    return (await rpc.downloads()).at(-1)![0];
  }

  it("are refused, with what to start, while no node has a downloader and a mover", async () => {
    const failure = await failureOf(() => rpc.download({ filenames: ["taxi.bcolz"], bucket }));
    expect(failure).to.include({ code: "TICKET_FAILED" }).and.have.property("message").which.includes("start bqueryd downloader and bqueryd movebcolz on each node");
    expect(await failureOf(() => rpc.distribute(["taxi.bcolz"], bucket))).to.include({ code: "TICKET_FAILED" });
    expect(await readdir(bucket), "nothing was sent for nothing").to.deep.equal([]);
    expect(await rpc.downloads()).to.deep.equal([]);
    for (const node of ["n1", "n2"]) for (const role of ["downloader", "mover"] as const) await cluster.register(controller.address, node, role);
  });

  it("distribute sends tables by their names, shards by that of their set, and makes a ticket with what their manifests say", async () => {
    const name = await rpc.distribute(["taxi", "trips"], bucket);
    expect(name).to.match(/^bqueryd_download_ticket_[0-9a-f]{16}$/);
    const plan = (await cluster.registry.tickets.plan(idOf(name)))!;
    expect(plan).to.deep.include({ bucket, nodes: ["n1", "n2"], replicas: null, sets: ["trips"] });
    expect(plan.tables).to.deep.equal(Object.entries(generations).map(([table, generation]) => ({ table, generation, manifest: `${table}/${generation}.manifest.json` })));
    for (const { manifest } of plan.tables) expect(existsSync(join(bucket, manifest!)), manifest!).to.equal(true);
    expect((await readdir(bucket)).filter((entry) => !entry.startsWith("."))).to.have.members(Object.keys(generations));
    expect(await rpc.downloads()).to.deep.equal([[name, "0/6"]]);
    await cluster.double.bring(idOf(name), "prepared");
    expect(await rpc.downloads()).to.deep.equal([[name, "6/6"]]);
    const [document] = await rpc.downloads({ verbose: true });
    expect(document).to.include({ ticket: idOf(name), bucket, tables: 3, state: "active" });
    expect(document!.places).to.have.length(6);
    expect((await rpc.downloads({ verbose: "nodes" }))[0]!.places).to.deep.equal([]);
    expect(await rpc.delete_download(idOf(name))).to.equal(6);
    expect(await rpc.delete_download(name)).to.equal(0);
    expect(await rpc.downloads()).to.deep.equal([]);
    expect(await failureOf(() => rpc.delete_download(name))).to.include({ code: "NOT_FOUND" });
    const part = await rpc.distribute(["taxi", "trips-1.bcolzs"], bucket);
    expect(await cluster.registry.tickets.plan(idOf(part)), "a set that is not whole").to.not.have.property("sets");
    for (let times = 0; times < 2; times++) await rpc.delete_download(part);
  });

  it("distribute waits until all is in use, tells how far it is by phases, and sends nothing twice", async () => {
    const told: TransferProgress[] = [];
    const done = rpc.distribute("trips-*.bcolzs", bucket, { wait: true, replicas: 1, onProgress: (progress) => { told.push(progress); } });
    const name = await newTicket(0);
    expect((await cluster.registry.tickets.plan(idOf(name)))!.replicas).to.equal(1);
    await cluster.double.bring(idOf(name), "downloading");
    await until("half is told of", () => told.some(({ phase, nodes }) => phase === "download" && nodes.length > 0));
    await cluster.double.bring(idOf(name), "done");
    expect(await done).to.equal(name);
    expect([...new Set(told.map(({ phase }) => phase))]).to.deep.equal(["upload", "download", "switch"]);
    const [first] = told;
    expect(first).to.include({ ticket: null, fraction: 1 });
    expect(first!.bytesDone).to.equal(first!.bytesTotal).and.to.be.above(0);
    expect(told.at(-1)).to.include({ ticket: name, fraction: 1 });
    expect(told.at(-1)!.nodes.map(({ done: slots }) => slots).reduce((sum, slots) => sum + slots, 0)).to.equal(2);
    expect(rpc.last_call_duration).to.be.above(0);
  });

  it("download asks for tables by their directory names alone, and waits for one that is in use, though a node is late to make it CURRENT", async () => {
    const count = (await rpc.downloads()).length;
    const done = rpc.download({ filenames: ["taxi.bcolz", "taxi.bcolz"], bucket, wait: true, timeout: 4 });
    const name = await newTicket(count);
    expect((await cluster.registry.tickets.plan(idOf(name)))!.tables).to.deep.equal([{ table: "taxi.bcolz", manifest: null, generation: null }]);
    await cluster.double.bring(idOf(name), "committed");
    expect(await done).to.equal(name);
    expect(await stateOf(name)).to.equal("committed");
    await cluster.double.bring(idOf(name), "done");
    for (const filename of ["taxi", "trips", "taxi-*.bcolzs", "a/taxi.bcolz"]) {
      expect(await failureOf(() => rpc.download({ filenames: [filename], bucket })), filename).to.include({ code: "USAGE" }).and.have.property("message").which.includes("directory name");
    }
  });

  it("waiting fails with the reason of a ticket that fails, is cancelled, or is gone", async () => {
    for (const [end, words] of [
      [(id: string) => cluster.double.fail(id, "NOT_FOUND: there is no object"), "failed, and nothing has changed anywhere: taxi.bcolz on n1: NOT_FOUND: there is no object"],
      [(id: string) => rpc.delete_download(id), "was cancelled"],
      [(id: string) => cluster.registry.tickets.remove(id), "is gone"],
    ] as const) {
      const count = (await rpc.downloads()).length;
      const failed = failureOf(() => rpc.distribute(["taxi"], bucket, { wait: true }));
      await end(idOf(await newTicket(count)));
      expect(await failed, words).to.include({ code: "TICKET_FAILED" }).and.have.property("message").which.includes(words);
    }
  });

  it("waiting ends with its time or its signal, and the ticket goes on", async () => {
    const late = await failureOf(() => rpc.download({ filenames: "taxi.bcolz", bucket, wait: true, timeout: 2 }));
    const [name] = (await rpc.downloads()).at(-1)!;
    expect(late).to.include({ code: "DEADLINE" }).and.have.property("message").which.includes(`${name} is not done (0/2)`).and.includes("it goes on");
    expect(await stateOf(name)).to.equal("active");
    const abort = new AbortController();
    const count = (await rpc.downloads()).length;
    const stopped = failureOf(() => rpc.download({ filenames: "taxi.bcolz", bucket, wait: true, signal: abort.signal }));
    const second = await newTicket(count);
    abort.abort();
    expect(await stopped).to.include({ code: "CANCELLED" }).and.have.property("message").which.includes(`the ticket ${second} goes on`);
    expect(await stateOf(second)).to.equal("active");
    for (const ticket of [name, second]) expect(await rpc.delete_download(ticket)).to.equal(2);
  });

  it("sending ends by its signal before there is a ticket, and by what onProgress throws", async () => {
    const count = (await rpc.downloads()).length;
    expect(await failureOf(() => rpc.distribute(["taxi"], bucket, { signal: AbortSignal.abort() }))).to.include({ code: "CANCELLED" });
    expect(await failureOf(() => rpc.distribute(["taxi"], bucket, { timeout: 0.000_001 }))).to.include({ code: "DEADLINE" });
    const thrown = await rpc.distribute(["taxi"], bucket, { onProgress: () => { throw new RangeError("no more"); } }).catch((cause: unknown) => cause);
    expect(String(thrown)).to.include("no more");
    expect(await rpc.downloads()).to.have.length(count);
  });

  it("a ticket whose controller ends before it has answered is made once, and another controller tells of it", async () => {
    const count = (await rpc.downloads()).length;
    const second = await cluster.startController();
    for (const role of ["downloader", "mover"] as const) await cluster.register(second.address, "n1", role);
    const tickets: { create: typeof cluster.registry.tickets.create } = cluster.registry.tickets;
    const { create } = tickets;
    const made: string[] = [];
    tickets.create = async (plan, places) => {
      made.push(plan.id);
      await create(plan, places);
      await controller.stop("it ends before it answers");
      await new Promise<never>(() => undefined);
    };
    const name = await rpc.download({ filenames: "taxi.bcolz", bucket }).finally(() => { tickets.create = create; });
    controller = second;
    expect(made).to.deep.equal([idOf(name)]);
    expect((await cluster.registry.tickets.plan(idOf(name)))!.nodes).to.deep.equal(["n1", "n2"]);
    expect(await rpc.downloads()).to.have.length(count + 1);
    expect(await rpc.delete_download(name)).to.equal(2);
  });

  it("waiting goes on while the only controller ends and another is started", async () => {
    const count = (await rpc.downloads()).length;
    const done = rpc.distribute(["taxi"], bucket, { wait: true });
    const name = await newTicket(count);
    await controller.stop("it is restarted");
    await cluster.double.bring(idOf(name), "downloading");
    controller = await cluster.startController();
    await cluster.double.bring(idOf(name), "done");
    expect(await done).to.equal(name);
  });

  it("name what is not there with the nearest, and take paths with a slash", async () => {
    const dir = cluster.folder;
    expect(await findDirectories(["trips", "./taxi.bcolz", `${dir}/taxi`, "trips-1.bcolzs"], dir).catch((cause: unknown) => String(cause))).to.include("taxi.bcolz");
    expect(await findDirectories(["trips", `${dir}/taxi`, "trips-1.bcolzs"], dir)).to.deep.equal(["trips-0.bcolzs", "trips-1.bcolzs", "taxi.bcolz"].map((name) => join(dir, name)));
    for (const [file, words] of [["taxy", "did you mean 'taxi'?"], ["taxy.bcolz", "did you mean 'taxi.bcolz'?"], ["trips-2.bcolzs", "did you mean 'trips-"], ["buses", "the tables in"], ["bus-*.bcolzs", "bus-*.bcolzs"], ["/nowhere/at.bcolz", "there is no table in /nowhere"]] as const) {
      const failure = await failureOf(() => findDirectories([file], dir));
      expect([file, failure.code]).to.deep.equal([file, "NOT_FOUND"]);
      expect(failure.message).to.include(words);
    }
  });

  it("are refused before anything is sent where they mean nothing", async () => {
    const wrong = [
      () => rpc.distribute([], bucket), () => rpc.distribute([5 as unknown as string], bucket), () => rpc.distribute("taxi", ""), () => rpc.distribute("taxi", undefined as unknown as string), () => rpc.distribute("taxi", bucket, { replicas: 0 }),
      () => rpc.distribute("taxi", bucket, { replicas: 1.5 }), () => rpc.distribute("taxi", bucket, { wait: 1 as unknown as boolean }), () => rpc.distribute("taxi", bucket, { onProgress: {} as () => void }),
      () => rpc.distribute("taxi", bucket, { timeout: 0 }), () => rpc.distribute("taxi", bucket, { replica: 1 } as object), () => rpc.download(undefined as unknown as { filenames: string; bucket: string }),
      () => rpc.download({ filenames: [], bucket }), () => rpc.download({ filenames: "taxi.bcolz" } as { filenames: string; bucket: string }), () => rpc.download({ filenames: "taxi.bcolz", bucket, files: 1 } as never),
      () => rpc.downloads({ verbose: "all" as "nodes" }), () => rpc.downloads(null as unknown as object), () => rpc.delete_download("taxi"), () => rpc.delete_download(undefined as unknown as string), () => rpc.delete_download(`${ticketPrefix}12`),
    ];
    for (const ask of wrong) expect((await failureOf(ask)).code, String(ask)).to.equal("USAGE");
    const other = await connect({ registry_dir: cluster.registryDir });
    expect(await failureOf(() => other.distribute(join(cluster.folder, "taxi.bcolz"), "No_Bucket"))).to.include({ code: "CONFIG" });
    await other.close();
  });
});

describe("distribute to S3", () => {
  it("finds it by the configuration of the client, and asks for the tables by the bucket as it was named", async () => {
    const stage = await setStage({});
    const cluster = await openTicketCluster({ s3_endpoint: stage.server.url, s3_region: stage.server.region });
    try {
      await writeTable(join(cluster.folder, "taxi.bcolz"), columns);
      const { address } = await cluster.startController();
      for (const role of ["downloader", "mover"] as const) await cluster.register(address, "n1", role);
      cluster.carryAll();
      const rpc = await connectWith(cluster.config);
      const name = await withIdentity(testIdentity, () => rpc.distribute("taxi", "s3://shelf/daily", { wait: true })).finally(() => rpc.close());
      const plan = (await cluster.registry.tickets.plan(idOf(name)))!;
      expect(plan.bucket).to.equal("s3://shelf/daily");
      expect([...stage.server.buckets.get("shelf")!.objects.keys()]).to.include(`daily/${plan.tables[0]!.manifest!}`);
    } finally {
      await cluster.close();
      await stage.close();
    }
  });
});

const told: DownloadInfo = {
  ticket: "00", state: "active", reason: null, slots: 4, done: 1, age: 1, idle: 0, bucket: "b", replicas: null, tables: 2, bytes_done: 300, bytes_total: null, rate: 0, eta: null, nodes: [], places: [], warnings: [],
};

describe("waiting for a ticket", () => {
  /** Waits for one of which the looks give these, one after the other, the last again and again. */
  async function wait(...looks: readonly (Partial<DownloadInfo> | Error)[]): Promise<{ seen: number; last: DownloadInfo }> {
    let [seen, place] = [0, 0];
    const last = await waitForTicket("t", {
      deadlineMs: Infinity, signal: undefined, onLook: () => { seen += 1; },
      async look() {
        const look = looks[Math.min(place++, looks.length - 1)]!;
        if (look instanceof Error) throw look;
        return { ...told, ...look };
      },
    });
    return { seen, last };
  }
  const away = (code: "REGISTRY_UNAVAILABLE" | "NO_CONTROLLER" | "FORBIDDEN"): BquerydError => new BquerydError(code, "it is away; start it");

  it("goes on over what may pass, and tells of each look that told something", async () => {
    const { seen, last } = await wait({}, away("REGISTRY_UNAVAILABLE"), away("NO_CONTROLLER"), { state: "done" });
    expect([seen, last.state]).to.deep.equal([2, "done"]);
  });

  it("ends with what does not pass, and where nothing has moved for an hour, and says that the ticket goes on", async () => {
    expect(await failureOf(() => wait({}, away("FORBIDDEN")))).to.include({ code: "FORBIDDEN", message: "it is away; start it; the ticket t goes on, see rpc.downloads()" });
    expect(await failureOf(() => wait({ idle: 3_601 }))).to.include({ code: "DEADLINE", message: "the ticket t is not done (1/4), and nothing of it has moved for 3601 s; it goes on, see rpc.downloads()" });
  });
});

describe("the progress of a ticket", () => {
  it("is by bytes where these are known, or whoever sent the tables knows them, else by slots", () => {
    expect(progressOfTicket("t", told, undefined)).to.include({ phase: "download", fraction: 0.25, bytesTotal: null });
    expect(progressOfTicket("t", { ...told, bytes_total: 600 }, undefined)).to.include({ fraction: 0.5, bytesTotal: 600 });
    expect(progressOfTicket("t", told, 1_500)).to.include({ fraction: 0.1, bytesTotal: 3_000 });
    expect(progressOfTicket("t", { ...told, bytes_done: 900 }, 300)).to.include({ fraction: 1 });
    for (const [state, done] of [["active", 4], ["committed", 4], ["done", 4]] as const) expect(progressOfTicket("t", { ...told, state, done }, 1_500)).to.include({ phase: "switch", fraction: 1 });
  });

  it("is told at most ten times a second, but of every phase the first and the last", () => {
    const heard: number[] = [];
    let nowMs = 0;
    const tell = thinProgress(({ fraction }) => { heard.push(fraction); }, () => nowMs);
    const at = (phase: "upload" | "download", fraction: number): TransferProgress => ({ phase, ticket: null, bytesDone: 0, bytesTotal: null, fraction, nodes: [], warnings: [] });
    for (const fraction of [0, 0.1, 0.2, 0.3, 0.4, 0.5]) {
      tell(at("upload", fraction));
      nowMs += 50;
    }
    tell(at("upload", 1));
    tell(at("download", 0.1));
    tell(at("download", 0.2));
    expect(heard).to.deep.equal([0, 0.2, 0.4, 1, 0.1]);
  });
});
