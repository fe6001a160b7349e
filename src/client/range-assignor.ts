// Kafka's range assignor (`RangeAssignor`): per topic, the members that subscribe to it, sorted by id, get runs of
// consecutive partitions; the first ones get one more where it does not come out even.

export interface Subscription {
  readonly memberId: string
  readonly topics: readonly string[]
}

export interface TopicPartitions {
  readonly topic: string
  readonly partitions: readonly number[]
}

/** `partitions`: how many each topic has; topics it leaves out are assigned to no one. One entry per member comes back. */
export function assignRanges(
  members: readonly Subscription[],
  partitions: ReadonlyMap<string, number>,
): Map<string, TopicPartitions[]> {
  const assignment = new Map<string, TopicPartitions[]>(members.map((m) => [m.memberId, []]))
  for (const topic of [...partitions.keys()].toSorted()) {
    const subscribed = members
      .filter((member) => member.topics.includes(topic))
      .map((member) => member.memberId)
      .toSorted(byCodeUnit)
    const count = partitions.get(topic) ?? 0
    const each = Math.floor(count / subscribed.length)
    const extra = count % subscribed.length
    subscribed.forEach((memberId, i) => {
      const from = i * each + Math.min(i, extra)
      const length = each + (i < extra ? 1 : 0)
      if (length === 0) return
      const range = Array.from({ length }, (_, k) => from + k)
      assignment.get(memberId)?.push({ topic, partitions: range })
    })
  }
  return assignment
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
