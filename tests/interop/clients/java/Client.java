// Carries out one job with Kafka's own Java client: writes the records it is given, prints those it reads, or looks after a topic.
// Decides nothing about what is right: the stories compare.
//
//   java Client.java produce|consume|admin <job.json

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Client {
    static final ObjectMapper JSON = new ObjectMapper();

    static byte[] bytes(JsonNode node) throws Exception {
        return node == null || node.isNull() ? null : node.binaryValue();
    }

    static void produce(JsonNode job) throws Exception {
        Map<String, Object> config = Map.of(
            "bootstrap.servers", job.get("address").asText(), "compression.type", job.get("codec").asText(), "acks", "all",
            "enable.idempotence", job.get("idempotent").asBoolean(), "linger.ms", 50, "max.request.size", 2 << 20, "batch.size", 1 << 18);
        try (var producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (JsonNode row : job.get("records")) {
                var record = new ProducerRecord<>(job.get("topic").asText(), row.get("partition").asInt(), row.get("time").asLong(), bytes(row.get("key")), bytes(row.get("value")));
                for (JsonNode header : row.get("headers")) {
                    record.headers().add(new String(bytes(header.get(0))), bytes(header.get(1)));
                }
                sent.add(producer.send(record));
            }
            for (var one : sent) {
                one.get();
            }
        }
    }

    static void consume(JsonNode job) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", job.get("address").asText(), "auto.offset.reset", "earliest");
        List<TopicPartition> parts = new ArrayList<>();
        int left = 0, partition = 0;
        for (JsonNode count : job.get("counts")) {
            if (count.asInt() > 0) {
                parts.add(new TopicPartition(job.get("topic").asText(), partition));
            }
            left += count.asInt();
            partition++;
        }
        long deadline = System.nanoTime() + 30_000_000_000L;
        try (var consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(parts);
            while (left > 0 && System.nanoTime() < deadline) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                    ObjectNode row = JSON.createObjectNode();
                    row.put("partition", record.partition()).put("offset", record.offset()).put("key", record.key()).put("value", record.value());
                    row.put("time", record.timestamp()).put("time_type", record.timestampType() == TimestampType.LOG_APPEND_TIME ? "append" : "create");
                    var headers = row.putArray("headers");
                    for (Header header : record.headers()) {
                        headers.addArray().add(header.key().getBytes()).add(header.value());
                    }
                    System.out.println(row);
                    left--;
                }
            }
        }
    }

    static void admin(JsonNode job) throws Exception {
        String topic = job.get("topic").asText();
        ObjectNode told = JSON.createObjectNode();
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", job.get("address").asText()))) {
            List<NewTopic> made = List.of(new NewTopic(topic, 3, (short) 1).configs(Map.of("retention.ms", "60000")));
            admin.createTopics(made).all().get();
            told.put("exists", error(() -> admin.createTopics(made).all().get()).equals("TopicExistsException"));
            var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
            told.put("retention", admin.describeConfigs(List.of(resource)).all().get().get(resource).get("retention.ms").value());
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get();
            // Kafka's brokers hear a moment later of what their controller has answered for.
            int partitions = 0;
            for (int look = 0; look < 100 && partitions != 5; look++) {
                if (look > 0) {
                    Thread.sleep(100);
                }
                partitions = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size();
            }
            told.put("partitions", partitions);
            var first = new TopicPartition(topic, 0);
            told.put("end", admin.listOffsets(Map.of(first, OffsetSpec.latest())).all().get().get(first).offset());
            var quorum = admin.describeMetadataQuorum().quorumInfo().get();
            told.put("quorum", quorum.leaderId() == 1 && quorum.voters().size() == 1);
            var cluster = admin.describeCluster();
            told.put("cluster", cluster.nodes().get().size() == 1 && cluster.controller().get().id() == 1 && !cluster.clusterId().get().isEmpty());
            var dirs = admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1);
            told.put("dirs", dirs.values().stream().flatMap(dir -> dir.replicaInfos().keySet().stream()).filter(part -> part.topic().equals(topic)).count());
            admin.deleteTopics(List.of(topic)).all().get();
            told.put("gone", error(() -> admin.deleteTopics(List.of(topic)).all().get()).equals("UnknownTopicOrPartitionException"));
        }
        System.out.println(told);
    }

    interface Call {
        void run() throws Exception;
    }

    static String error(Call call) throws Exception {
        try {
            call.run();
            return "none";
        } catch (ExecutionException failed) {
            return failed.getCause().getClass().getSimpleName();
        }
    }

    public static void main(String[] words) throws Exception {
        JsonNode job = JSON.readTree(System.in);
        switch (words[0]) {
            case "produce" -> produce(job);
            case "consume" -> consume(job);
            case "admin" -> admin(job);
            default -> throw new IllegalArgumentException(words[0]);
        }
    }
}
