// Which names a topic may have: Kafka's rules (org.apache.kafka.common.internals.Topic).

const NAME_LENGTH_MAX = 249
const LEGAL = /^[a-zA-Z0-9._-]+$/

/** Undefined for a legal name; otherwise what is wrong with it. */
export function topicNameProblem(name: string): string | undefined {
  if (name === '') return 'Topic name is invalid: the empty string is not allowed'
  if (name === '.' || name === '..') return `Topic name is invalid: '${name}' is not allowed`
  if (name.length > NAME_LENGTH_MAX) {
    return `Topic name is invalid: its length of ${name.length} is over ${NAME_LENGTH_MAX}`
  }
  if (!LEGAL.test(name)) {
    return `Topic name is invalid: '${name}' has characters other than ASCII letters, digits, '.', '_' and '-'`
  }
  return undefined
}

/** Metric names can't tell '.' from '_', so no two topics may differ in these alone. */
export function hasCollisionCharacters(name: string): boolean {
  return name.includes('.') || name.includes('_')
}

export function unifyCollisionCharacters(name: string): string {
  return name.replaceAll('.', '_')
}
