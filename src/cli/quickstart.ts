// Lines to paste, for each kind of client, that write to a node and read it back. `chronik start --hints` prints them, and
// tests run them as they are.

export interface Quickstart {
  readonly client: 'kcat' | 'java' | 'python' | 'node'
  /** What must be there first, for a person. */
  readonly needs: string
  /** What reads the text: a POSIX shell, or Java's `jshell` with kafka-clients on its class path. */
  readonly reader: 'sh' | 'jshell'
  readonly text: string
  /** The value of the record that the text writes to the topic. */
  readonly writes: string
}

export const QUICKSTART_TOPIC = 'quickstart'

/** `bootstrap` is `host:port` as a client is told it, or several with commas. */
export function quickstarts(bootstrap: string): readonly Quickstart[] {
  return [kcat(bootstrap), python(bootstrap), nodeJs(bootstrap), java(bootstrap)]
}

function kcat(bootstrap: string): Quickstart {
  return {
    client: 'kcat',
    needs: 'kcat',
    reader: 'sh',
    writes: 'hello from kcat',
    text: lines(
      `echo 'hello from kcat' | kcat -P -b ${bootstrap} -t ${QUICKSTART_TOPIC}`,
      `kcat -C -b ${bootstrap} -t ${QUICKSTART_TOPIC} -o beginning -e -q`,
    ),
  }
}

function python(bootstrap: string): Quickstart {
  return {
    client: 'python',
    needs: 'pip install confluent-kafka',
    reader: 'sh',
    writes: 'hello from Python',
    text: lines(
      'python3 -c "',
      'from confluent_kafka import Producer',
      `producer = Producer({'bootstrap.servers': '${bootstrap}'})`,
      `producer.produce('${QUICKSTART_TOPIC}', 'hello from Python')`,
      `print(producer.flush(10), 'left to send')"`,
    ),
  }
}

function nodeJs(bootstrap: string): Quickstart {
  const brokers = bootstrap
    .split(',')
    .map((address) => `'${address}'`)
    .join(', ')
  const message = `{ topic: '${QUICKSTART_TOPIC}', messages: [{ value: 'hello from Node' }] }`
  return {
    client: 'node',
    needs: 'npm install kafkajs',
    reader: 'sh',
    writes: 'hello from Node',
    text: lines(
      'node --input-type=module -e "',
      `import { Kafka, logLevel } from 'kafkajs'`,
      `const kafka = new Kafka({ brokers: [${brokers}], logLevel: logLevel.ERROR })`,
      'const producer = kafka.producer()',
      'await producer.connect()',
      `console.log(await producer.send(${message}))`,
      'await producer.disconnect()"',
    ),
  }
}

function java(bootstrap: string): Quickstart {
  const record = `new ProducerRecord<>("${QUICKSTART_TOPIC}", "hello from Java")`
  return {
    client: 'java',
    needs: "jshell --class-path 'libs/*', libs as in a Kafka download",
    reader: 'jshell',
    writes: 'hello from Java',
    text: lines(
      'import org.apache.kafka.clients.producer.*;',
      'var strings = "org.apache.kafka.common.serialization.StringSerializer";',
      'var config = new HashMap<String, Object>();',
      `config.put("bootstrap.servers", "${bootstrap}");`,
      'config.put("key.serializer", strings);',
      'config.put("value.serializer", strings);',
      'var producer = new KafkaProducer<String, String>(config);',
      `System.out.println(producer.send(${record}).get());`,
      'producer.close();',
    ),
  }
}

function lines(...text: readonly string[]): string {
  return text.join('\n')
}
