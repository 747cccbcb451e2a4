/** What the keys and states of the partials of a query are called where merging them fails. */
import { printExpression } from "./expressions/print.js";
import type { Expression } from "./expressions/tree.js";
import { planMeasures } from "./measures/table.js";
import type { PartialNames } from "./merge.js";
import type { Query } from "./query/query.js";

/** Names for people: of keys as the query names them, of states the columns and expressions that they are of. */
export function namesOf({ keys, measures }: Pick<Query, "keys" | "measures">): PartialNames {
  const { inputs, states } = planMeasures(measures);
  return {
    keys: keys.map(({ name }) => `key '${name}'`),
    states: states.map((state) => state.inputs.map((place) => describeInput(inputs[place]!))),
  };
}

function describeInput(input: Expression): string {
  return `column '${input.kind === "column" ? input.name : printExpression(input)}'`;
}
