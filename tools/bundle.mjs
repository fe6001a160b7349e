// Writes the program as few files: `src/cli/main.ts` and `src/server/chronik.ts`, each with all that it imports, and one file
// for whatever is loaded later (a command, HTTP) or is shared. Names stay, and source maps lie beside. Plain JavaScript, as
// tools/run.mjs, which calls it. Why: docs/decisions/0014-bundle.md

import { createRequire } from 'node:module'

/** Adds to what lies in `outDir`. False where a source can't be bundled; why has been said. */
export function bundle(outDir) {
  // Only here: run.mjs is started before anything is installed.
  const { buildSync } = createRequire(import.meta.url)('esbuild')
  try {
    buildSync({
      entryPoints: ['src/cli/main.ts', 'src/server/chronik.ts'],
      outbase: 'src',
      outdir: outDir,
      // As deep as the sources, so that what is looked up from `import.meta.url` is found from here too.
      chunkNames: 'parts/[name]-[hash]',
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node24',
      packages: 'external',
      sourcemap: 'linked',
      sourcesContent: false,
      logLevel: 'warning',
    })
    return true
  } catch (error) {
    if (error.errors === undefined) throw error
    return false // its complaints are printed already, see `logLevel`
  }
}
