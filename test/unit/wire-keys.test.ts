import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { curveKeyPair } from "zeromq";
import { addressOf, shortAddress, splitAddress } from "../../lib/wire/addresses.js";
import { formatAuthorizedKey, parseAuthorizedKeys, readAuthorizedKeys } from "../../lib/wire/authorized-keys.js";
import { createIntroduction, isProved } from "../../lib/wire/introduction.js";
import { createKeyFile, findKeys, readKeyFile } from "../../lib/wire/key-file.js";
import { createProver, encodeZ85, keyPairOf, makeKeyPair } from "../../lib/wire/keys.js";
import type { ClientMessage } from "../../lib/wire/messages.js";
import { everyRole, findForbidden, findForbiddenWorker, noRole, roleOfVerb, type Role } from "../../lib/wire/roles.js";
import { answerZap } from "../../lib/wire/zap.js";
import { failureOf } from "../support/failure.js";

const secretOf = (pair: { secret(): Uint8Array }): string => Buffer.from(pair.secret()).toString("hex");
const id = "0".repeat(32);

describe("keys", () => {
  it("have the public half that zeromq gives the same secret", () => {
    for (let count = 0; count < 20; count++) {
      const { publicKey, secretKey } = curveKeyPair();
      const pair = keyPairOf(decodeZ85(secretKey));
      expect(encodeZ85(Buffer.from(pair.publicKey, "hex"))).to.equal(publicKey);
      expect(encodeZ85(pair.secret())).to.equal(secretKey);
    }
  });

  it("are written in Z85 as RFC 32 says", () => {
    expect(encodeZ85(Buffer.from("864fd26fb559f75b", "hex"))).to.equal("HelloWorld");
    expect(encodeZ85(Buffer.from("8e0bdd697628b91d8f245587ee95c5b04d48963f79259877b49cd9063aead3b7", "hex"))).to.equal("JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6");
  });

  it("do not show their secret in what prints them", () => {
    const pair = makeKeyPair();
    expect(`${inspect(pair, { depth: 9, showHidden: true })}${JSON.stringify(pair)}`).to.include(pair.publicKey).and.not.include(secretOf(pair));
  });

  it("keep their secret from who changes what they gave", () => {
    const pair = makeKeyPair();
    pair.secret().fill(0);
    expect(keyPairOf(pair.secret()).publicKey).to.equal(pair.publicKey);
    expect(() => keyPairOf(new Uint8Array(31))).to.throw();
  });
});

describe("a proof", () => {
  const [server, client, stranger] = [makeKeyPair(), makeKeyPair(), makeKeyPair()];
  const ofClient = createProver(client, server.publicKey)!;
  const ofServer = createProver(server, client.publicKey)!;

  it("of one owner is taken by the other", () => {
    expect(ofServer.isProof("client 1", ofClient.prove("client 1"))).to.equal(true);
  });

  it("of another text, by another key, to another key, or that is none, is not taken", () => {
    expect(ofServer.isProof("client 2", ofClient.prove("client 1"))).to.equal(false);
    expect(ofServer.isProof("t", createProver(stranger, server.publicKey)!.prove("t"))).to.equal(false);
    expect(ofServer.isProof("t", createProver(client, stranger.publicKey)!.prove("t"))).to.equal(false);
    for (const text of ["", "00", "z".repeat(64), `${ofClient.prove("t")}00`]) expect(ofServer.isProof("t", text)).to.equal(false);
  });

  it("is not made with points that everybody shares a secret with", () => {
    expect(createProver(server, "0".repeat(64))).to.equal(undefined);
    expect(createProver(server, `01${"0".repeat(62)}`)).to.equal(undefined);
  });

  it("goes with the first message of a session alone, bound to its channel and id", () => {
    const introduction = createIntroduction(`tcp://h:1/${server.publicKey}`, client)!;
    const hello = introduction.introduce<ClientMessage & { type: "hello" }>({ type: "hello", clientId: id, version: "1" });
    expect(hello.credential?.key).to.equal(client.publicKey);
    expect(isProved(hello, ofServer)).to.equal(true);
    expect(isProved({ ...hello, clientId: "1".repeat(32) }, ofServer)).to.equal(false);
    const register = { type: "register", workerId: id, role: "worker", node: "n", pid: 1, version: "1", dataDir: "/", uptimeMs: 0, holdings: [] } as const;
    expect(isProved({ ...register, holdings: [], credential: hello.credential! }, ofServer)).to.equal(false);
    expect(isProved(introduction.introduce({ ...register, holdings: [] }), ofServer)).to.equal(true);
    expect(introduction.introduce({ type: "heartbeat" })).to.deep.equal({ type: "heartbeat" });
  });

  it("is to the key of the address, else to the own one; without own keys an address with a key is refused", async () => {
    expect(createIntroduction("tcp://h:1", client)?.serverKey).to.equal(client.publicKey);
    expect(createIntroduction(`tcp://h:1/${server.publicKey}`, client)?.serverKey).to.equal(server.publicKey);
    expect(createIntroduction("tcp://h:1", undefined)).to.equal(undefined);
    const failure = await failureOf(() => createIntroduction(`tcp://h:1/${server.publicKey}`, undefined));
    expect([failure.code, failure.message]).to.deep.equal(["CONFIG", "the controller tcp://h:1 takes only those who have a key, and this process has none; set key_file"]);
    expect((await failureOf(() => createIntroduction(`tcp://h:1/${"0".repeat(64)}`, client))).code).to.equal("CONFIG");
  });
});

describe("addresses", () => {
  const publicKey = "a1".repeat(32);

  it("have a public key or none", () => {
    expect(splitAddress(`tcp://[::1]:14300/${publicKey}`)).to.deep.equal({ endpoint: "tcp://[::1]:14300", publicKey });
    expect(splitAddress("tcp://a:14300")).to.deep.equal({ endpoint: "tcp://a:14300", publicKey: undefined });
    expect(splitAddress("tcp://a:14300/short").endpoint).to.equal("tcp://a:14300/short");
    expect(shortAddress(`tcp://a:1/${publicKey}`)).to.equal("tcp://a:1");
  });

  it("are told with the host that is advertised", () => {
    expect(addressOf("tcp://0.0.0.0:14300", { host: "db1.example", publicKey })).to.equal(`tcp://db1.example:14300/${publicKey}`);
    expect(addressOf("tcp://[::]:14300", { host: "fe80::1" })).to.equal("tcp://[fe80::1]:14300");
    expect(addressOf("tcp://127.0.0.1:14300", {})).to.equal("tcp://127.0.0.1:14300");
  });
});

describe("files of keys", () => {
  let folder = "";
  beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "bqueryd-keys-")); });
  afterEach(() => { rmSync(folder, { recursive: true }); });

  it("of a secret are readable for their owner alone, and give the key whose line was printed", () => {
    const path = join(folder, "key");
    const line = createKeyFile(path, { name: "ada's laptop", roles: new Set(["client", "admin"]) });
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    const pair = readKeyFile(path);
    expect(line).to.equal(`client,admin ${pair.publicKey} ada's laptop`);
    expect(line).to.not.include(secretOf(pair));
    expect(parseAuthorizedKeys(line, "f").get(pair.publicKey)).to.deep.equal({ name: "ada's laptop", roles: new Set(["client", "admin"]) });
    expect(findKeys(path)?.publicKey).to.equal(pair.publicKey);
    expect(findKeys(undefined)).to.equal(undefined);
  });

  it("of a secret are not written over", async () => {
    const path = join(folder, "key");
    writeFileSync(path, "mine");
    expect((await failureOf(() => createKeyFile(path, { name: "", roles: noRole }))).code).to.equal("EXISTS");
    expect(readFileSync(path, "utf8")).to.equal("mine");
  });

  it("of a secret are refused when others may read them, and when they hold none, without telling what they hold", async () => {
    const path = join(folder, "key");
    createKeyFile(path, { name: "", roles: noRole });
    for (const mode of [0o640, 0o604, 0o620]) {
      chmodSync(path, mode);
      expect((await failureOf(() => readKeyFile(path))).message).to.equal(`key_file ${path} may be read or changed by others; run chmod 600 ${path}`);
    }
    chmodSync(path, 0o600);
    const secret = secretOf(makeKeyPair());
    for (const text of ["", "# no key\n", secret.slice(1), `${secret}0`, `${secret}\n${secret}\n`, secret.toUpperCase().replace(/^./, "G"), `client ${secret}`]) {
      writeFileSync(path, text);
      const failure = await failureOf(() => readKeyFile(path));
      expect(failure.code, text).to.equal("CONFIG");
      expect(inspect(failure)).to.not.include(secret.slice(2, 40));
    }
    expect((await failureOf(() => readKeyFile(join(folder, "none")))).message).to.match(/^key_file .*none cannot be read: ENOENT/);
    expect((await failureOf(() => readKeyFile(folder))).message).to.match(/is no file/);
  });

  const key = "0f".repeat(32);
  it("of authorized keys may have comments, empty lines, several roles, no name, and line ends of any system", () => {
    const text = `# machines\r\n\r\n  node ${key} host 1 \r\n\t# people\nclient,admin\t${"1e".repeat(32)}\n`;
    expect([...parseAuthorizedKeys(text, "f")]).to.deep.equal([
      [key, { name: "host 1", roles: new Set(["node"]) }], ["1e".repeat(32), { name: "", roles: new Set(["client", "admin"]) }],
    ]);
    expect(formatAuthorizedKey(key, { name: "", roles: new Set(["node"]) })).to.equal(`node ${key}`);
  });

  const bad: readonly (readonly [string, string, RegExp])[] = [
    ["an unknown role", `root ${key} x`, /does not begin with a role; write client, admin, node/],
    ["an empty role", `client, ${key}`, /does not begin with a role/],
    ["no role", key, /does not begin with a role/],
    ["a role of another case", `Client ${key}`, /does not begin with a role/],
    ["a role that every object has", `constructor ${key}`, /does not begin with a role/],
    ["no key", "client", /no public key follows/],
    ["a key that is cut", `client ${key.slice(1)}`, /no public key follows/],
    ["a key that is too long", `client ${key}00`, /no public key follows/],
    ["a key in capitals", `client ${key.toUpperCase()}`, /no public key follows/],
    ["a key in Z85", "client JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6", /no public key follows/],
    ["a name with control characters", `client ${key} a\u001b[31m`, /its name has control characters/],
    ["a name that is too long", `client ${key} ${"a".repeat(256)}`, /its name .* longer than 255/],
    ["bytes that are no text", "\u0000\ufffd", /does not begin with a role/],
  ];
  for (const [what, line, problem] of bad) {
    it(`of authorized keys are refused with ${what}, by file and line`, async () => {
      const failure = await failureOf(() => parseAuthorizedKeys(`# one\nclient ${"1e".repeat(32)}\n${line}\n`, "/etc/keys"));
      expect(failure.code).to.equal("CONFIG");
      expect(failure.message).to.match(/^line 3 of \/etc\/keys: /).and.to.match(problem);
    });
  }

  it("of authorized keys are refused where everybody on the machine could add one", async () => {
    const path = join(folder, "open");
    writeFileSync(path, `client ${key}\n`);
    chmodSync(path, 0o664);
    expect(readAuthorizedKeys(path).size).to.equal(1);
    chmodSync(path, 0o666);
    expect(await failureOf(() => readAuthorizedKeys(path))).to.include({ code: "CONFIG", message: `authorized_keys ${path} may be changed by everybody on this machine; run chmod o-w ${path}` });
  });

  it("of authorized keys are refused with a key twice, and when they cannot be read or are too long", async () => {
    expect((await failureOf(() => parseAuthorizedKeys(`client ${key}\nadmin ${key}\n`, "f"))).message).to.match(/^line 2 of f: its key is in an earlier line/);
    expect((await failureOf(() => readAuthorizedKeys(join(folder, "none")))).message).to.match(/^cannot read authorized_keys .*ENOENT/);
    writeFileSync(join(folder, "long"), "#".repeat(4 * 1024 * 1024 + 1));
    expect((await failureOf(() => readAuthorizedKeys(join(folder, "long")))).message).to.match(/has more than 4194304 bytes/);
  });
});

describe("roles", () => {
  const of = (...roles: Role[]): ReadonlySet<Role> => new Set(roles);

  it("let clients ask, admins direct as well, and nodes alone serve", () => {
    for (const verb of ["ping", "info", "files", "groupby", "generations"]) {
      expect(findForbidden(verb, of("client"))).to.equal(undefined);
      expect(findForbidden(verb, of("admin"))).to.equal(undefined);
      expect(findForbidden(verb, of("node"))?.message).to.match(new RegExp(`^${verb} needs the role client, and the key of this client has node; `));
    }
    for (const verb of ["kill", "killall", "killworkers", "loglevel", "execute_code", "readfile", "cancel", "rollback"]) {
      expect(findForbidden(verb, of("admin"))).to.equal(undefined);
      expect(findForbidden(verb, of("client", "node"))?.message).to.match(new RegExp(`^${verb} needs the role admin, and the key of this client has client and node; `));
    }
    expect(findForbidden("ping", noRole)).to.deep.include({ code: "FORBIDDEN", details: { verb: "ping", role: "client" } });
    expect(findForbiddenWorker("mover", of("client", "admin"))).to.match(/^a mover needs the role node, and its key has client and admin; /);
    expect(findForbiddenWorker("worker", everyRole)).to.equal(undefined);
  });

  it("let clients look at tickets, and admins alone make and end them", () => {
    expect(["downloads", "download", "delete_download"].map(roleOfVerb)).to.deep.equal(["client", "admin", "admin"]);
  });

  it("keep verbs that nobody has thought of for admins", () => {
    for (const verb of ["drop_everything", "constructor", "__proto__", ""]) expect(roleOfVerb(verb)).to.equal("admin");
  });
});

describe("answers to zeromq about keys", () => {
  const known = makeKeyPair().publicKey;
  const frames = (...texts: (string | Uint8Array)[]): Uint8Array[] => texts.map((text) => (typeof text === "string" ? Buffer.from(text) : text));
  const question = frames("1.0", "7", "bqueryd", "10.0.0.9", "", "CURVE", Buffer.from(known, "hex"));
  const statusOf = (asked: Uint8Array[]): string => Buffer.from(answerZap(asked, (key) => key === known)[2]!).toString();

  it("let a known key in, under the id of the question", () => {
    const asked: string[][] = [];
    const answer = answerZap(question, (key, address) => { asked.push([key, address]); return true; });
    expect(answer.map((frame) => Buffer.from(frame).toString())).to.deep.equal(["1.0", "7", "200", "OK", "", ""]);
    expect(asked).to.deep.equal([[known, "10.0.0.9"]]);
  });

  it("refuse every other key, mechanism and question", () => {
    expect(statusOf(question)).to.equal("200");
    const others = [
      question.with(6, Buffer.from(makeKeyPair().publicKey, "hex")), question.with(6, Buffer.from(known, "hex").subarray(1)), question.with(5, Buffer.from("NULL")),
      question.with(5, Buffer.from("PLAIN")), question.with(0, Buffer.from("2.0")), question.slice(0, 6), [...question, Buffer.from("more")], [],
    ];
    for (const other of others) expect(statusOf(other)).to.equal("400");
  });
});

/** The bytes of a text of Z85, for tests: the program itself only writes it. */
function decodeZ85(text: string): Uint8Array {
  const digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
  const bytes = Buffer.alloc(text.length * 4 / 5);
  for (let word = 0; word < text.length / 5; word++) {
    bytes.writeUInt32BE([...text.slice(5 * word, 5 * word + 5)].reduce((value, digit) => 85 * value + digits.indexOf(digit), 0), 4 * word);
  }
  return new Uint8Array(bytes);
}
