/** What the demo prints: for people, or a line of JSON for each question. */
import type { Table } from "../../lib/index.js";
import { formatCall } from "./call.js";
import type { Question } from "./questions.js";

/** An answer, and how long it took. */
export interface Answer {
  readonly question: Question;
  readonly table: Table;
  readonly seconds: number;
}

/** How the demo went. */
export interface Outcome {
  readonly ok: boolean;
  readonly questions: number;
  readonly seconds: number;
}

/** Prints what happens as it happens. */
export interface Report {
  begin(): void;
  /** A command about to run, and what it printed. */
  command(line: string): void;
  output(text: string): void;
  answered(answer: Answer): void;
  checking(duckDbVersion: string): void;
  checked(answer: Answer, difference: string | undefined): void;
  end(outcome: Outcome): void;
}

const width = 80;
const shownRows = 10;
const headerLines = 2;

/** For people, in 80 columns. */
export const textReport: Report = {
  begin() {
    print("Three million real flights, ten shards, a controller and two workers");
  },
  command(line) {
    print(`\n$ ${line}`);
  },
  output(text) {
    print(wrap(text.trim()));
  },
  answered({ question, table, seconds }) {
    const lines = table.toString().split("\n").slice(0, headerLines + shownRows);
    const shown = table.numRows > shownRows ? `first ten of ${table.numRows}, ` : "";
    print(`\n${question.title}\n> ${formatCall(question.query, width - 2)}\n\n${lines.join("\n")}\n(${shown}${formatMs(seconds)})`);
  },
  checking(duckDbVersion) {
    print(`\nThe same questions asked of DuckDB ${duckDbVersion}, which reads the file itself`);
  },
  checked({ question, table }, difference) {
    const rows = `${table.numRows} row${table.numRows === 1 ? "" : "s"}`;
    print(difference === undefined ? `equal, ${rows.padStart(9)}: ${question.title}` : wrap(`DIFFERENT: ${question.title}: ${difference}`));
  },
  end({ ok, questions, seconds }) {
    print(`\n${ok ? `All ${questions} answers are right` : "Not all answers are right"}; ${seconds.toFixed(1)} s in all`);
  },
};

/** For programs. */
export const jsonReport: Report = {
  begin() {},
  command() {},
  output() {},
  answered() {},
  checking() {},
  checked({ question, table, seconds }, difference) {
    const call = formatCall(question.query, Infinity);
    const differs = difference === undefined ? {} : { difference };
    print(JSON.stringify({ question: question.title, call, rows: table.numRows, seconds: roundToMicros(seconds), ok: difference === undefined, ...differs }));
  },
  end(outcome) {
    print(JSON.stringify({ ...outcome, seconds: roundToMicros(outcome.seconds) }));
  },
};

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function formatMs(seconds: number): string {
  return `${(seconds * 1_000).toFixed(1)} ms`;
}

function roundToMicros(seconds: number): number {
  return Math.round(seconds * 1e6) / 1e6;
}

/** The text broken between words into lines of at most `width` characters, as far as its words allow. */
function wrap(text: string): string {
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1)!;
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines.join("\n");
}
