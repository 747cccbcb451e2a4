/** The table of states: every kind, what holds it, and its definition. */
import { bagState, type BagState } from "./bag.js";
import { comomentsState, type Comoments } from "./comoments.js";
import { countState, type Counts } from "./count.js";
import { ddsketchState, type DdsketchState } from "./ddsketch.js";
import type { FloatSums } from "./float-sums.js";
import { hyperloglogState, type HyperloglogState } from "./hyperloglog.js";
import { largestState, type LargestState } from "./largest.js";
import { histogramState, type Histogram } from "./histogram.js";
import { momentsState, type Moments } from "./moments.js";
import { firstState, lastState, maxState, minState, type Picked } from "./picked.js";
import { runsState, type RunsState } from "./runs.js";
import type { StateDefinition, StateParams } from "./state.js";
import { sumState } from "./sum.js";
import { tallyState, type TallyState } from "./tally.js";
import type { WholeSums } from "./whole-sums.js";

/** A state for every group of a partial. */
export type StateColumn =
  | Counts
  | WholeSums
  | FloatSums
  | Picked<"min">
  | Picked<"max">
  | Picked<"first">
  | Picked<"last">
  | Moments
  | Comoments
  | Histogram
  | TallyState
  | LargestState
  | BagState
  | RunsState
  | HyperloglogState
  | DdsketchState;

/** What a state counts or keeps. */
export type StateKind = StateColumn["kind"];

/** A state that a query needs, once, whatever measures share it. */
export interface StateSpec {
  readonly kind: StateKind;
  /** Places among the inputs of a plan of measures, in the order the kind takes them. */
  readonly inputs: readonly number[];
  /** Part of what makes two states one. */
  readonly params: StateParams;
}

/** The definition of every kind. */
const definitions: Readonly<Record<StateKind, StateDefinition<StateColumn>>> = {
  count: countState,
  sum: sumState,
  min: minState,
  max: maxState,
  first: firstState,
  last: lastState,
  moments: momentsState,
  comoments: comomentsState,
  histogram: histogramState,
  tally: tallyState,
  largest: largestState,
  bag: bagState,
  runs: runsState,
  hyperloglog: hyperloglogState,
  ddsketch: ddsketchState,
};

/** The definition of a kind; it takes no state of another. */
export function definitionOf(kind: StateKind): StateDefinition<StateColumn> {
  return definitions[kind];
}

/** Tells whether a text names a kind of state. */
export function isStateKind(text: string): text is StateKind {
  return Object.hasOwn(definitions, text);
}
