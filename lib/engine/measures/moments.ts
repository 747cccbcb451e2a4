/** var and std of the values of a group, corr and covar of two inputs over the rows where neither is null. */
import { finishFloats, requireState, type FinishedColumn, type MeasureDefinition } from "./measure.js";
import { checkNumber } from "./sum.js";

/** The population variance. */
export const varMeasure = variance(0, (value) => value);

/** The population standard deviation. */
export const stdMeasure = variance(0, Math.sqrt);

/** The sample variance, of two values or more. */
export const varSampleMeasure = variance(1, (value) => value);

/** The sample standard deviation, of two values or more. */
export const stdSampleMeasure = variance(1, Math.sqrt);

/** The population covariance. */
export const covarMeasure: MeasureDefinition = {
  ...ofTwoInputs(),
  finish(states): FinishedColumn {
    const { counts, meansX, meansY, products } = requireState(states, 0, "comoments");
    return finishFloats(counts.length, (group) => (counts[group] === 0 || !areFinite(meansX[group]!, meansY[group]!) ? null : products[group]! / counts[group]!));
  },
};

/** The correlation coefficient; null where one of the inputs does not vary. */
export const corrMeasure: MeasureDefinition = {
  ...ofTwoInputs(),
  finish(states): FinishedColumn {
    const { counts, meansX, meansY, squaresX, squaresY, products } = requireState(states, 0, "comoments");
    return finishFloats(counts.length, (group) => {
      if (!areFinite(meansX[group]!, meansY[group]!)) return null;
      // The product of the squares could leave the range of float64 where that of their roots does not.
      const spread = Math.sqrt(squaresX[group]!) * Math.sqrt(squaresY[group]!);
      return spread === 0 ? null : Math.max(-1, Math.min(1, products[group]! / spread));
    });
  },
};

/** Of a sum of squares divided by the count less `lost`. */
function variance(lost: 0 | 1, finish: (variance: number) => number): MeasureDefinition {
  return {
    check: checkNumber,
    states: () => [{ kind: "moments", inputs: [0], params: {} }],
    finish(states) {
      const { counts, means, squares } = requireState(states, 0, "moments");
      return finishFloats(counts.length, (group) => (counts[group]! <= lost || !areFinite(means[group]!) ? null : finish(squares[group]! / (counts[group]! - lost))));
    },
  };
}

/** Where a value is infinite nothing varies by any amount; what sums of squares come to then depends on how rows were cut. */
function areFinite(...means: readonly number[]): boolean {
  return means.every(Number.isFinite);
}

function ofTwoInputs(): Pick<MeasureDefinition, "check" | "states"> {
  return { check: checkNumber, states: () => [{ kind: "comoments", inputs: [0, 1], params: {} }] };
}
