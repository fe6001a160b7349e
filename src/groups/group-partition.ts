// Which partition of `__consumer_offsets` a group lives in: Java's hash of its name, as Kafka's coordinators have it
// (`Utils.abs(groupId.hashCode) % partitions`), so that tools which compute it themselves agree.

export function groupPartition(groupId: string, partitionCount: number): number {
  return (javaHashCode(groupId) & 0x7fff_ffff) % partitionCount
}

/** `String.hashCode` of Java: over UTF-16 code units, in 32-bit arithmetic. */
export function javaHashCode(text: string): number {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0
  return hash
}
