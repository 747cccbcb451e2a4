/** Where controllers listen that are not told. */

/** The ports of which a controller takes the first free one; both ends count. */
export const defaultPorts = { first: 14_300, last: 14_399 } as const;
