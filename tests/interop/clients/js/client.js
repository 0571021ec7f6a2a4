// Carries out one job with kafkajs: writes the records it is given, or looks after a topic. kafkajs reads only in groups.
// Decides nothing about what is right: the stories compare.
//
//   node client.js produce|admin <job.json
"use strict";
const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, Partitioners, logLevel } = require("kafkajs");
const lz4 = require("lz4js");
const xxh32 = require("lz4js/xxh32.js");
const { ZstdCodec } = require("zstd-codec");

// kafkajs takes codecs as plug-ins; those that are there for these two want a C compiler, so they are plugged in by hand.
// lz4js says of its blocks that they depend on each other, which Java's reader refuses: one block of up to 4 MB does not.
function lz4Frame(plain) {
  const frame = Buffer.from(lz4.compress(plain));
  frame[4] |= 0x20;
  frame[6] = (xxh32.hash(0, frame, 4, 2) >>> 8) & 0xff;
  return frame;
}
const zstd = new Promise((then) => ZstdCodec.run((codec) => then(new codec.Simple())));
CompressionCodecs[CompressionTypes.Snappy] = require("kafkajs-snappy");
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async (encoder) => lz4Frame(encoder.buffer),
  decompress: async (buffer) => Buffer.from(lz4.decompress(buffer)),
});
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async (encoder) => Buffer.from((await zstd).compress(encoder.buffer)),
  decompress: async (buffer) => Buffer.from((await zstd).decompress(buffer)),
});

const bytes = (text) => (text === null ? null : Buffer.from(text, "base64"));

function headersOf(record) {
  const found = {};
  for (const [key, value] of record.headers ?? []) {
    const name = bytes(key).toString();
    found[name] = name in found ? [found[name], bytes(value)].flat() : bytes(value);
  }
  return found;
}

async function produce(kafka, job) {
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    idempotent: job.idempotent,
    ...(job.idempotent ? { maxInFlightRequests: 1 } : {}),
  });
  await producer.connect();
  const messages = job.records.map((record) => ({
    partition: record.partition,
    key: bytes(record.key),
    value: bytes(record.value),
    headers: headersOf(record),
    timestamp: String(record.time),
  }));
  const { None, GZIP, Snappy, LZ4, ZSTD } = CompressionTypes;
  const compression = { none: None, gzip: GZIP, snappy: Snappy, lz4: LZ4, zstd: ZSTD }[job.codec];
  await producer.send({ topic: job.topic, acks: -1, compression, messages });
  await producer.disconnect();
}

async function admin(kafka, job) {
  const admin = kafka.admin();
  await admin.connect();
  const told = {};
  const topics = [{ topic: job.topic, numPartitions: 3, replicationFactor: 1, configEntries: [{ name: "retention.ms", value: "60000" }] }];
  await admin.createTopics({ topics, waitForLeaders: true });
  told.exists = (await admin.createTopics({ topics })) === false;
  const resources = [{ type: ConfigResourceTypes.TOPIC, name: job.topic, configNames: ["retention.ms"] }];
  const configs = await admin.describeConfigs({ resources, includeSynonyms: false });
  told.retention = configs.resources[0].configEntries[0].configValue;
  await admin.createPartitions({ topicPartitions: [{ topic: job.topic, count: 5 }] });
  // Kafka's brokers hear a moment later of what their controller has answered for.
  for (let look = 0; look < 100 && told.partitions !== 5; look++) {
    if (look > 0) await new Promise((then) => setTimeout(then, 100));
    const metadata = await admin.fetchTopicMetadata({ topics: [job.topic] });
    told.partitions = metadata.topics[0].partitions.length;
  }
  const offsets = await admin.fetchTopicOffsets(job.topic);
  told.end = Number(offsets.find((row) => row.partition === 0).high);
  await admin.deleteTopics({ topics: [job.topic] });
  told.gone = await admin.deleteTopics({ topics: [job.topic] }).then(() => false, (why) => why.type === "UNKNOWN_TOPIC_OR_PARTITION" || /does not host this topic/.test(why.message));
  await admin.disconnect();
  console.log(JSON.stringify(told));
}

const job = JSON.parse(require("node:fs").readFileSync(0));
const kafka = new Kafka({ brokers: [job.address], clientId: "kafkajs", logLevel: logLevel.NOTHING, retry: { retries: 3 } });
({ produce, admin })[process.argv[2]](kafka, job).catch((why) => {
  console.error(why);
  process.exit(1);
});
