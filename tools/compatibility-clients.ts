// The clients that `npm run compat` runs against a node, for docs/compatibility.md.

export interface ClientRow {
  readonly name: string
  readonly version: string
  readonly runs: string
}

const library = 'produce and consume with every codec, groups, offsets, admin'

export const clients: readonly ClientRow[] = [
  {
    name: 'kcat',
    version: '1.7.1 (librdkafka 2.0.2)',
    runs: 'produce, consume, every codec, acks, metadata, offsets by time, large messages',
  },
  {
    name: 'confluent-kafka for Python',
    version: '1.7.0 (librdkafka 2.0.2)',
    runs: library,
  },
  { name: 'kafka-python', version: '2.0.2', runs: library },
  { name: 'kafkajs', version: '2.2.4', runs: library },
  { name: '@platformatic/kafka', version: '2.12.1', runs: library },
  { name: 'Java kafka-clients', version: '4.3.0', runs: library },
  {
    name: "Kafka's own tools",
    version: '4.3.0',
    runs:
      'TopicCommand, ConfigCommand, ConsoleProducer, ConsoleConsumer, ProducerPerformance, ConsumerPerformance, ' +
      'VerifiableProducer, VerifiableConsumer, GetOffsetShell, ConsumerGroupCommand, LogDirsCommand, ' +
      'DeleteRecordsCommand, BrokerApiVersionsCommand, DumpLogSegments',
  },
]
