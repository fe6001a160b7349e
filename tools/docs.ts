// Writes the generated pages of docs/ from the tables that the program itself uses: `npm run docs`. A test checks that the
// committed pages are what this would write.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compatibilityPage } from './docs-compatibility.ts'
import { configurationPage } from './docs-configuration.ts'

export interface GeneratedPage {
  /** Relative to the repository. */
  readonly path: string
  readonly text: string
}

export function generatedPages(): readonly GeneratedPage[] {
  return [
    { path: 'docs/compatibility.md', text: compatibilityPage() },
    { path: 'docs/configuration.md', text: configurationPage() },
  ]
}

if (import.meta.main) {
  for (const { path, text } of generatedPages()) {
    writeFileSync(join(import.meta.dirname, '..', path), text)
  }
}
