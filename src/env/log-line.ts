// The form of a log line for people, shared by the real logger and the simulated one.

import type { LogFields, LogLevel } from './env.ts'

export function formatLine(
  time: string,
  level: LogLevel,
  message: string,
  fields: LogFields,
): string {
  // A line break in a message would look like another event.
  let line = `${time} ${level.toUpperCase().padEnd(5)} ${message.replaceAll(/[\r\n]+/g, ' | ')}`
  for (const [key, value] of Object.entries(fields)) {
    if (value !== undefined) line += ` ${key}=${formatValue(value)}`
  }
  return line
}

function formatValue(value: string | number | boolean | null): string {
  if (typeof value !== 'string') return String(value)
  return value === '' || /[\s"=\p{Cc}]/u.test(value) ? JSON.stringify(value) : value
}
