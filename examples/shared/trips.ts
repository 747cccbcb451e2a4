/** Taxi trips as a CSV file, drawn from a fixed seed: the same rows on every machine. */
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { seededRandom, type Random } from "../../lib/base/clock.js";

/** The columns, in the order of the file. */
export const header = "vendor,pickup,dropoff,passengers,distance,rate_code,payment_type,fare_amount,tip_amount,total_amount";

const seedDefault = 2016;
const firstPickup = Date.UTC(2016, 0, 1);
const secondsOfJanuary = 31 * 86_400;
const rowsAtOnce = 10_000;

/** Which trips: the same seed draws the same; spoiled ones have fares below 0, as a meter that counts backwards has them. */
export interface TripsOptions {
  readonly seed?: number;
  readonly isSpoiled?: boolean;
}

/** Lines without their ends; some fields are empty. */
export function* trips(rows: number, { seed = seedDefault, isSpoiled = false }: TripsOptions = {}): Generator<string> {
  const random = seededRandom(seed);
  for (let row = 0; row < rows; row++) yield drawTrip(random, isSpoiled ? -1 : 1);
}

/** Writes a file of so many trips below its header. */
export async function writeTrips(path: string, rows: number, options?: TripsOptions): Promise<void> {
  const file = createWriteStream(path);
  const closed = once(file, "close");
  file.write(`${header}\n`);
  let lines: string[] = [];
  for (const line of trips(rows, options)) {
    lines.push(line);
    if (lines.length < rowsAtOnce) continue;
    if (!file.write(`${lines.join("\n")}\n`)) await once(file, "drain");
    lines = [];
  }
  file.end(lines.length === 0 ? "" : `${lines.join("\n")}\n`);
  await closed;
}

function drawTrip(random: Random, sign: number): string {
  const minutes = 2 + 60 * random() ** 2;
  const pickupMs = firstPickup + 1_000 * Math.floor(secondsOfJanuary * random());
  const miles = minutes * (0.1 + 0.3 * random());
  const paymentType = 1 + Math.floor(6 * random() ** 4);
  const fareCents = sign * (250 + 50 * Math.round(miles * 5));
  // Tips in cash are not known.
  const tipCents = paymentType === 1 ? Math.round(Math.abs(fareCents) * 0.25 * random()) : undefined;
  return [
    1 + Math.floor(2 * random()), timeOf(pickupMs), timeOf(pickupMs + 60_000 * Math.round(minutes)), random() < 0.01 ? "" : 1 + Math.floor(6 * random() ** 3),
    miles.toFixed(2), random() < 0.02 ? "" : 1 + Math.floor(6 * random() ** 8), paymentType, dollars(fareCents), tipCents === undefined ? "" : dollars(tipCents), dollars(fareCents + (tipCents ?? 0) + 80),
  ].join(",");
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace("T", " ");
}

function dollars(cents: number): string {
  return (cents / 100).toFixed(2);
}
