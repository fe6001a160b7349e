// Paths as a person gives them.

/** With `/`, without `.` and `..`. */
export function absolutePath(path: string, world: { readonly workingDirectory: string }): string {
  const joined = path.startsWith('/') ? path : `${world.workingDirectory}/${path}`
  const parts: string[] = []
  for (const part of joined.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return `/${parts.join('/')}`
}

/** As short as a person would write it: relative where that is below the working directory. */
export function shownPath(path: string, world: { readonly workingDirectory: string }): string {
  const below = `${world.workingDirectory}/`
  if (!path.startsWith(below)) return path
  const rest = path.slice(below.length)
  return rest.includes(' ') ? `'${rest}'` : rest
}
