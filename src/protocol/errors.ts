// The two ways in which the codec refuses, bytes that are not what they claim to be and values that cannot be written; and
// the one in which it can't say yet.

/** The peer's (or the disk's) bytes are malformed. Closes the connection that sent them; never harms the node. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
}

/** What has come of a message ends here, and its rest is still to come: so far nothing is wrong with it. */
export class MissingBytes extends Error {
  override readonly name = 'MissingBytes'
}

/**
 * A value cannot be written in the version asked for: out of range, null where null is not allowed, or a field set that
 * the version does not have and that may not be dropped silently (Kafka: a non-default value of a non-ignorable field).
 */
export class EncodeError extends Error {
  override readonly name = 'EncodeError'
}
