/** A promise that is settled from outside. */

/** A promise, and what settles it; later settlings do nothing. */
export interface Resolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: Error) => void;
}

/** Makes one, as later versions of JavaScript do. */
export function withResolvers<T>(): Resolvers<T> {
  let resolve!: (value: T) => void;
  let reject!: (reason: Error) => void;
  const promise = new Promise<T>((accept, refuse) => { [resolve, reject] = [accept, refuse]; });
  return { promise, resolve, reject };
}
