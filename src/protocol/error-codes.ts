// Kafka's error codes (Errors.java, 4.3): what a response says went wrong, and whether a client may
// try again as it is.

interface KafkaError<Code extends number = number> {
  readonly code: Code
  /** Whether Kafka's clients retry by themselves (its exception is a RetriableException). */
  readonly retriable: boolean
  readonly message: string
}

const fatal = <const Code extends number>(code: Code, message: string): KafkaError<Code> => ({
  code,
  retriable: false,
  message,
})

const retriable = <const Code extends number>(code: Code, message: string): KafkaError<Code> => ({
  code,
  retriable: true,
  message,
})

export const KAFKA_ERRORS = {
  UNKNOWN_SERVER_ERROR: fatal(-1, 'The node failed in an unexpected way; its log says how.'),
  NONE: fatal(0, 'No error.'),
  OFFSET_OUT_OF_RANGE: fatal(1, 'The partition does not have the requested offset.'),
  CORRUPT_MESSAGE: retriable(2, 'The record batch is damaged or not well-formed.'),
  UNKNOWN_TOPIC_OR_PARTITION: retriable(3, 'There is no such topic or partition here.'),
  INVALID_FETCH_SIZE: fatal(4, 'The fetch size is not valid.'),
  LEADER_NOT_AVAILABLE: retriable(5, 'The partition has no leader at the moment.'),
  NOT_LEADER_OR_FOLLOWER: retriable(6, 'This node does not lead the partition.'),
  REQUEST_TIMED_OUT: retriable(
    7,
    'The request did not complete in time; it may still take effect.',
  ),
  BROKER_NOT_AVAILABLE: fatal(8, 'The node is not available.'),
  REPLICA_NOT_AVAILABLE: retriable(9, 'The replica is not available.'),
  MESSAGE_TOO_LARGE: fatal(10, 'The record batch is larger than max.message.bytes.'),
  STALE_CONTROLLER_EPOCH: fatal(11, 'The controller has moved to another node.'),
  OFFSET_METADATA_TOO_LARGE: fatal(12, 'The metadata of the offset commit is too large.'),
  NETWORK_EXCEPTION: retriable(13, 'The connection was lost before the response arrived.'),
  COORDINATOR_LOAD_IN_PROGRESS: retriable(14, 'The coordinator is still loading its state.'),
  COORDINATOR_NOT_AVAILABLE: retriable(15, 'The coordinator is not available.'),
  NOT_COORDINATOR: retriable(16, 'This node is not the coordinator.'),
  INVALID_TOPIC_EXCEPTION: fatal(
    17,
    'The topic name is not valid, or the topic does not allow this.',
  ),
  RECORD_LIST_TOO_LARGE: fatal(18, 'The record batch is larger than a segment.'),
  NOT_ENOUGH_REPLICAS: retriable(
    19,
    'Fewer replicas are in sync than min.insync.replicas; nothing was written.',
  ),
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: retriable(
    20,
    'Written, but by too few replicas to be acknowledged.',
  ),
  INVALID_REQUIRED_ACKS: fatal(21, 'acks must be -1 (all), 0 or 1.'),
  ILLEGAL_GENERATION: fatal(22, 'The generation is not the current one of the group.'),
  INCONSISTENT_GROUP_PROTOCOL: fatal(23, 'The member shares no protocol with the group.'),
  INVALID_GROUP_ID: fatal(24, 'The group id is not valid.'),
  UNKNOWN_MEMBER_ID: fatal(25, 'The group does not have this member.'),
  INVALID_SESSION_TIMEOUT: fatal(
    26,
    'The session timeout is outside the range that the node allows.',
  ),
  REBALANCE_IN_PROGRESS: fatal(27, 'The group is rebalancing; the member must join again.'),
  INVALID_COMMIT_OFFSET_SIZE: fatal(28, 'The offset commit is too large.'),
  TOPIC_AUTHORIZATION_FAILED: fatal(29, 'Not authorized for the topic.'),
  GROUP_AUTHORIZATION_FAILED: fatal(30, 'Not authorized for the group.'),
  CLUSTER_AUTHORIZATION_FAILED: fatal(31, 'Not authorized for the cluster.'),
  INVALID_TIMESTAMP: fatal(32, 'The timestamp of a record is outside the accepted range.'),
  UNSUPPORTED_SASL_MECHANISM: fatal(33, 'The SASL mechanism is not enabled.'),
  ILLEGAL_SASL_STATE: fatal(34, 'The request does not fit the state of the authentication.'),
  UNSUPPORTED_VERSION: fatal(35, 'This version of the API is not supported.'),
  TOPIC_ALREADY_EXISTS: fatal(36, 'A topic of that name exists.'),
  INVALID_PARTITIONS: fatal(37, 'The number of partitions is not valid.'),
  INVALID_REPLICATION_FACTOR: fatal(
    38,
    'The replication factor is below 1 or above the number of nodes.',
  ),
  INVALID_REPLICA_ASSIGNMENT: fatal(39, 'The replica assignment is not valid.'),
  INVALID_CONFIG: fatal(40, 'The configuration is not valid.'),
  NOT_CONTROLLER: retriable(41, 'This node is not the controller.'),
  INVALID_REQUEST: fatal(42, 'The request makes no sense as it stands.'),
  UNSUPPORTED_FOR_MESSAGE_FORMAT: fatal(43, 'The record format does not support the request.'),
  POLICY_VIOLATION: fatal(44, 'A policy forbids the request.'),
  OUT_OF_ORDER_SEQUENCE_NUMBER: fatal(
    45,
    'The sequence number does not follow the last one of the producer.',
  ),
  DUPLICATE_SEQUENCE_NUMBER: fatal(46, 'The sequence number was used before.'),
  INVALID_PRODUCER_EPOCH: fatal(47, 'The epoch of the producer is out of date.'),
  INVALID_TXN_STATE: fatal(48, 'The state of the transaction does not allow the operation.'),
  INVALID_PRODUCER_ID_MAPPING: fatal(49, 'The transactional id belongs to another producer id.'),
  INVALID_TRANSACTION_TIMEOUT: fatal(
    50,
    'The transaction timeout is above transaction.max.timeout.ms.',
  ),
  CONCURRENT_TRANSACTIONS: retriable(51, 'Another operation on the transaction has not finished.'),
  TRANSACTION_COORDINATOR_FENCED: fatal(
    52,
    'The sender is no longer the coordinator of the transaction.',
  ),
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: fatal(53, 'Not authorized for the transactional id.'),
  SECURITY_DISABLED: fatal(54, 'Security is not configured.'),
  OPERATION_NOT_ATTEMPTED: fatal(55, 'Not attempted, since another part of the request failed.'),
  KAFKA_STORAGE_ERROR: retriable(56, 'The disk does not take or give the data.'),
  LOG_DIR_NOT_FOUND: fatal(57, 'The node has no such log directory.'),
  SASL_AUTHENTICATION_FAILED: fatal(58, 'The authentication failed.'),
  UNKNOWN_PRODUCER_ID: fatal(59, 'Nothing is known of the producer id.'),
  REASSIGNMENT_IN_PROGRESS: fatal(60, 'The partition is being reassigned.'),
  DELEGATION_TOKEN_AUTH_DISABLED: fatal(61, 'Delegation tokens are not enabled.'),
  DELEGATION_TOKEN_NOT_FOUND: fatal(62, 'There is no such delegation token.'),
  DELEGATION_TOKEN_OWNER_MISMATCH: fatal(
    63,
    'The principal neither owns nor may renew the delegation token.',
  ),
  DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: fatal(
    64,
    'Delegation tokens cannot be handled over this connection.',
  ),
  DELEGATION_TOKEN_AUTHORIZATION_FAILED: fatal(65, 'Not authorized for the delegation token.'),
  DELEGATION_TOKEN_EXPIRED: fatal(66, 'The delegation token has expired.'),
  INVALID_PRINCIPAL_TYPE: fatal(67, 'The principal type is not supported.'),
  NON_EMPTY_GROUP: fatal(68, 'The group still has members.'),
  GROUP_ID_NOT_FOUND: fatal(69, 'There is no such group.'),
  FETCH_SESSION_ID_NOT_FOUND: retriable(70, 'There is no such fetch session.'),
  INVALID_FETCH_SESSION_EPOCH: retriable(71, 'The epoch is not the next one of the fetch session.'),
  LISTENER_NOT_FOUND: retriable(
    72,
    'The leader has no listener of the name that the request came in on.',
  ),
  TOPIC_DELETION_DISABLED: fatal(73, 'Topics cannot be deleted.'),
  FENCED_LEADER_EPOCH: retriable(74, 'The leader epoch is older than the one known here.'),
  UNKNOWN_LEADER_EPOCH: retriable(75, 'The leader epoch is newer than the one known here.'),
  UNSUPPORTED_COMPRESSION_TYPE: fatal(
    76,
    'The client does not understand the compression of the partition.',
  ),
  STALE_BROKER_EPOCH: fatal(77, 'The epoch of the node has changed.'),
  OFFSET_NOT_AVAILABLE: retriable(78, 'The leader is new and does not know the latest offset yet.'),
  MEMBER_ID_REQUIRED: fatal(79, 'The member must join again with the member id that it was given.'),
  PREFERRED_LEADER_NOT_AVAILABLE: retriable(80, 'The preferred leader is not available.'),
  GROUP_MAX_SIZE_REACHED: fatal(81, 'The group has as many members as it may.'),
  FENCED_INSTANCE_ID: fatal(82, 'Another member has taken over the group instance id.'),
  ELIGIBLE_LEADERS_NOT_AVAILABLE: retriable(83, 'No replica that may lead is available.'),
  ELECTION_NOT_NEEDED: retriable(84, 'The partition already has the leader that it should have.'),
  NO_REASSIGNMENT_IN_PROGRESS: fatal(85, 'The partition is not being reassigned.'),
  GROUP_SUBSCRIBED_TO_TOPIC: fatal(
    86,
    'The group is subscribed to the topic, so its offsets stay.',
  ),
  INVALID_RECORD: fatal(87, 'A record is not valid, so its batch was refused.'),
  UNSTABLE_OFFSET_COMMIT: retriable(88, 'An open transaction has offsets pending.'),
  THROTTLING_QUOTA_EXCEEDED: retriable(89, 'The quota is used up for now.'),
  PRODUCER_FENCED: fatal(90, 'A newer producer has the same transactional id.'),
  RESOURCE_NOT_FOUND: fatal(91, 'There is no such resource.'),
  DUPLICATE_RESOURCE: fatal(92, 'The request names a resource twice.'),
  UNACCEPTABLE_CREDENTIAL: fatal(93, 'The credential is not acceptable.'),
  INCONSISTENT_VOTER_SET: fatal(94, 'Sender or receiver is not one of the voters.'),
  INVALID_UPDATE_VERSION: fatal(95, 'The version to update to is not valid.'),
  FEATURE_UPDATE_FAILED: fatal(96, 'The features could not be updated.'),
  PRINCIPAL_DESERIALIZATION_FAILURE: fatal(97, 'The forwarded principal could not be read.'),
  SNAPSHOT_NOT_FOUND: fatal(98, 'There is no such snapshot.'),
  POSITION_OUT_OF_RANGE: fatal(99, 'The position lies outside the snapshot.'),
  UNKNOWN_TOPIC_ID: retriable(100, 'There is no topic of that id here.'),
  DUPLICATE_BROKER_REGISTRATION: fatal(101, 'The node id is in use.'),
  BROKER_ID_NOT_REGISTERED: fatal(102, 'No node of that id is registered.'),
  INCONSISTENT_TOPIC_ID: retriable(103, 'The topic id does not match the topic.'),
  INCONSISTENT_CLUSTER_ID: fatal(104, 'The cluster id is not that of this cluster.'),
  TRANSACTIONAL_ID_NOT_FOUND: fatal(105, 'There is no such transactional id.'),
  FETCH_SESSION_TOPIC_ID_ERROR: retriable(
    106,
    'The fetch session mixes requests with and without topic ids.',
  ),
  INELIGIBLE_REPLICA: fatal(107, 'A replica may not join the in-sync replicas.'),
  NEW_LEADER_ELECTED: fatal(108, 'The change was made, and it changed the leader.'),
  OFFSET_MOVED_TO_TIERED_STORAGE: fatal(109, 'The offset lies in tiered storage.'),
  FENCED_MEMBER_EPOCH: fatal(
    110,
    'The member epoch is fenced; the member must give up its partitions and join again.',
  ),
  UNRELEASED_INSTANCE_ID: fatal(111, 'Another member still uses the group instance id.'),
  UNSUPPORTED_ASSIGNOR: fatal(112, 'The group does not support the assignor.'),
  STALE_MEMBER_EPOCH: fatal(113, 'The member epoch is out of date.'),
  MISMATCHED_ENDPOINT_TYPE: fatal(114, 'The endpoint is of the wrong type for the request.'),
  UNSUPPORTED_ENDPOINT_TYPE: fatal(115, 'The endpoint type is not supported.'),
  UNKNOWN_CONTROLLER_ID: fatal(116, 'The controller id is not known.'),
  UNKNOWN_SUBSCRIPTION_ID: fatal(117, 'The telemetry subscription is not valid or out of date.'),
  TELEMETRY_TOO_LARGE: fatal(118, 'The telemetry is too large.'),
  INVALID_REGISTRATION: fatal(119, 'The registration of the node is not valid.'),
  TRANSACTION_ABORTABLE: fatal(
    120,
    'The transaction failed; abort it to go on with the transactional id.',
  ),
  INVALID_RECORD_STATE: fatal(121, 'The state of the record does not allow the acknowledgement.'),
  SHARE_SESSION_NOT_FOUND: retriable(122, 'There is no such share session.'),
  INVALID_SHARE_SESSION_EPOCH: retriable(
    123,
    'The epoch is not the next one of the share session.',
  ),
  FENCED_STATE_EPOCH: fatal(124, 'The state epoch of the share group is out of date.'),
  INVALID_VOTER_KEY: fatal(125, 'The voter key is not that of the replica.'),
  DUPLICATE_VOTER: fatal(126, 'The voter is one already.'),
  VOTER_NOT_FOUND: fatal(127, 'There is no such voter.'),
  INVALID_REGULAR_EXPRESSION: fatal(128, 'The regular expression is not valid.'),
  REBOOTSTRAP_REQUIRED: fatal(
    129,
    'The metadata of the client is out of date; it must start from its bootstrap servers.',
  ),
  STREAMS_INVALID_TOPOLOGY: fatal(130, 'The topology is not valid.'),
  STREAMS_INVALID_TOPOLOGY_EPOCH: fatal(131, 'The topology epoch is not valid.'),
  STREAMS_TOPOLOGY_FENCED: fatal(132, 'The topology epoch is out of date.'),
  SHARE_SESSION_LIMIT_REACHED: retriable(133, 'There are as many share sessions as there may be.'),
} as const

export type ErrorName = keyof typeof KAFKA_ERRORS

/** `ErrorCode.NONE === 0`, and so on. */
export const ErrorCode = Object.freeze(
  Object.fromEntries(Object.entries(KAFKA_ERRORS).map(([name, error]) => [name, error.code])),
) as { readonly [Name in ErrorName]: (typeof KAFKA_ERRORS)[Name]['code'] }

export type ErrorCode = (typeof ErrorCode)[ErrorName]

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(KAFKA_ERRORS).map(([name, error]) => [error.code, name]),
)

/** The name of a code; codes that Kafka does not have are unknown errors, as in its clients. */
export function errorName(code: number): ErrorName {
  return (NAMES.get(code) ?? 'UNKNOWN_SERVER_ERROR') as ErrorName
}

export function errorMessage(code: number): string {
  return KAFKA_ERRORS[errorName(code)].message
}

export function isRetriable(code: number): boolean {
  return KAFKA_ERRORS[errorName(code)].retriable
}
