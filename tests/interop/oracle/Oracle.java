// Apache Kafka's own reading of our bytes. Knows no layout itself: Kafka's generated classes do.
//
// Each line in: what NAME VERSION HEX, where what is
//   bytes   read a message and write it again                 -> HEX
//   json    the same, and print what was read                 -> HEX JSON
//   frame   read and write a record of the metadata log with its frame (NAME and VERSION unused)
//   record  read and write a record of an internal topic with the numbers in front of key and value; NAME is
//           the topic, VERSION unused, HEX is KEY/VALUE, or KEY/- for a tombstone -> KEY/VALUE
//   consumer  read a subscription or an assignment of consumers with the version in front of it, and write it
//           again in VERSION with that in front -> HEX
//   header  the header versions of API key NAME (a number) in VERSION -> REQUEST RESPONSE
//   all     every request and response, record of the metadata log, key and value of the internal topics
//           (NAME, VERSION and HEX unused)
//           -> NAME:LOWEST-HIGHEST for each, but for the API keys that Kafka took out of service
//   errors  every error code (NAME, VERSION and HEX unused) -> NUMBER:NAME:RETRY for each, where RETRY is
//           Never, Again, or Refreshed for those that ask for new metadata first
// A line out that starts with '!' tells why Kafka refuses.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.StringJoiner;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.metadata.MetadataRecordType;
import org.apache.kafka.common.errors.InvalidMetadataException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.Readable;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecordSerde;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordSerde;
import org.apache.kafka.coordinator.share.ShareCoordinatorRecordSerde;
import org.apache.kafka.coordinator.transaction.TransactionCoordinatorRecordSerde;
import org.apache.kafka.metadata.MetadataRecordSerde;

public class Oracle {
    private static final String[] PLACES = {
        "org.apache.kafka.common.message.%sData",
        "org.apache.kafka.common.message.%s",
        "org.apache.kafka.common.metadata.%s",
        "org.apache.kafka.coordinator.group.generated.%s",
        "org.apache.kafka.coordinator.transaction.generated.%s",
        "org.apache.kafka.coordinator.share.generated.%s",
    };

    private static final Map<String, CoordinatorRecordSerde> TOPICS = Map.of(
        "__consumer_offsets", new GroupCoordinatorRecordSerde(),
        "__transaction_state", new TransactionCoordinatorRecordSerde(),
        "__share_group_state", new ShareCoordinatorRecordSerde());

    private record Kind(Constructor<?> read, Method print) {}

    private static final Map<String, Kind> KINDS = new HashMap<>();
    private static final MetadataRecordSerde FRAMES = MetadataRecordSerde.INSTANCE;

    private static Kind find(String name) {
        for (String place : PLACES) {
            try {
                Class<?> type = Class.forName(String.format(place, name));
                Class<?> json = Class.forName(type.getName() + "JsonConverter");
                return new Kind(
                    type.getConstructor(Readable.class, short.class),
                    json.getMethod("write", type, short.class, boolean.class));
            } catch (ReflectiveOperationException elsewhere) {
                // The next place.
            }
        }
        throw new IllegalArgumentException("Kafka has no " + name);
    }

    private static String versions(String name) throws ReflectiveOperationException {
        Class<?> type = KINDS.computeIfAbsent(name, Oracle::find).read().getDeclaringClass();
        short lowest = type.getField("LOWEST_SUPPORTED_VERSION").getShort(null);
        short highest = type.getField("HIGHEST_SUPPORTED_VERSION").getShort(null);
        return name + ":" + lowest + "-" + highest;
    }

    private static String all() throws ReflectiveOperationException {
        var told = new StringJoiner(" ");
        for (ApiKeys key : ApiKeys.values()) {
            if (key.hasValidVersion()) {
                told.add(versions(key.name + "Request")).add(versions(key.name + "Response"));
            }
        }
        for (MetadataRecordType type : MetadataRecordType.values()) {
            told.add(versions(name(type.newMetadataRecord())));
        }
        for (var type : org.apache.kafka.coordinator.group.generated.CoordinatorRecordType.values()) {
            told.add(versions(name(type.newRecordKey()))).add(versions(name(type.newRecordValue())));
        }
        for (var type : org.apache.kafka.coordinator.transaction.generated.CoordinatorRecordType.values()) {
            told.add(versions(name(type.newRecordKey()))).add(versions(name(type.newRecordValue())));
        }
        for (var type : org.apache.kafka.coordinator.share.generated.CoordinatorRecordType.values()) {
            told.add(versions(name(type.newRecordKey()))).add(versions(name(type.newRecordValue())));
        }
        return told.toString();
    }

    private static String name(Message message) {
        return message.getClass().getSimpleName();
    }

    private static String record(CoordinatorRecordSerde topic, String key, String value) {
        ByteBuffer inKey = ByteBuffer.wrap(HexFormat.of().parseHex(key));
        ByteBuffer inValue = value.equals("-") ? null : ByteBuffer.wrap(HexFormat.of().parseHex(value));
        CoordinatorRecord read = topic.deserialize(inKey, inValue);
        byte[] written = topic.serializeValue(read);
        String told = written == null ? "-" : HexFormat.of().formatHex(written);
        return HexFormat.of().formatHex(topic.serializeKey(read)) + "/" + told;
    }

    private static String errors() {
        var told = new StringJoiner(" ");
        for (Errors error : Errors.values()) {
            var thrown = error.exception();
            String retry = thrown instanceof InvalidMetadataException ? "Refreshed"
                : thrown instanceof RetriableException ? "Again" : "Never";
            told.add(error.code() + ":" + error.name() + ":" + retry);
        }
        return told.toString();
    }

    private static String hex(ByteBuffer bytes) {
        byte[] copy = new byte[bytes.remaining()];
        bytes.duplicate().get(copy);
        return HexFormat.of().formatHex(copy);
    }

    private static String answer(String line) throws Exception {
        String[] words = line.split(" ", -1);
        if (words[0].equals("all")) {
            return all();
        }
        if (words[0].equals("errors")) {
            return errors();
        }
        String name = words[1];
        if (words[0].equals("record")) {
            String[] both = words[3].split("/", -1);
            return record(TOPICS.get(name), both[0], both[1]);
        }
        short version = Short.parseShort(words[2]);
        ByteBuffer bytes = ByteBuffer.wrap(HexFormat.of().parseHex(words[3]));
        if (words[0].equals("consumer")) {
            Message read = name.equals("ConsumerProtocolSubscription")
                ? ConsumerProtocol.deserializeConsumerProtocolSubscription(bytes)
                : ConsumerProtocol.deserializeConsumerProtocolAssignment(bytes);
            return hex(MessageUtil.toVersionPrefixedByteBuffer(version, read));
        }
        if (words[0].equals("header")) {
            ApiKeys key = ApiKeys.forId(Integer.parseInt(name));
            return key.requestHeaderVersion(version) + " " + key.responseHeaderVersion(version);
        }
        if (words[0].equals("frame")) {
            var record = FRAMES.read(new ByteBufferAccessor(bytes), bytes.remaining());
            var cache = new ObjectSerializationCache();
            var written = ByteBuffer.allocate(FRAMES.recordSize(record, cache));
            FRAMES.write(record, cache, new ByteBufferAccessor(written));
            written.flip();
            return hex(written);
        }
        Kind kind = KINDS.computeIfAbsent(name, Oracle::find);
        Message message = (Message) kind.read().newInstance(new ByteBufferAccessor(bytes), version);
        if (bytes.hasRemaining()) {
            return "! " + bytes.remaining() + " bytes left";
        }
        String written = hex(MessageUtil.toByteBufferAccessor(message, version).buffer());
        if (words[0].equals("json")) {
            return written + " " + kind.print().invoke(null, message, version, true);
        }
        return written;
    }

    public static void main(String[] none) throws Exception {
        var in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"), 1 << 20);
        var out = new PrintWriter(new java.io.OutputStreamWriter(System.out, "UTF-8"));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String reply;
            try {
                reply = answer(line);
            } catch (InvocationTargetException refused) {
                reply = "! " + refused.getCause();
            } catch (Exception refused) {
                reply = "! " + refused;
            }
            out.println(reply.replace('\n', ' '));
            if (!in.ready()) {
                out.flush();
            }
        }
        out.flush();
    }
}
