// Mutants of consensus that no test can tell from the original, and why.

export const EQUIVALENT: Readonly<Record<string, string>> = {}
