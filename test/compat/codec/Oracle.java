// Converts between JSON and bytes with Kafka's generated message classes. One JSON request per line of standard input, one
// JSON answer per line of standard output:
//
//   {"op": "tables"}                                       -> {"apis": [...], "errors": [...]}
//   {"op": "convert", "name", "version", "json", "bytes"}  -> {"bytes": what Kafka writes for json,
//                                                             "json": what Kafka reads from bytes}
//
// "bytes" are base64. An exception becomes {"error": "..."}.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.Readable;

public class Oracle {
    private static final ObjectMapper MAPPER = new ObjectMapper();
    private static final Map<String, Codec> CODECS = new HashMap<>();

    /** The generated class of one message, with the converter beside it. */
    private record Codec(Constructor<?> reader, Method fromJson, Method toJson) {
        static Codec of(String name) throws Exception {
            for (String candidate : new String[] {
                "org.apache.kafka.common.message." + name + "Data",
                "org.apache.kafka.common.message." + name,
                "org.apache.kafka.coordinator.group.generated." + name
            }) {
                try {
                    Class<?> type = Class.forName(candidate);
                    Class<?> converter = Class.forName(candidate + "JsonConverter");
                    return new Codec(
                        type.getConstructor(Readable.class, short.class),
                        converter.getMethod("read", JsonNode.class, short.class),
                        converter.getMethod("write", type, short.class, boolean.class));
                } catch (ClassNotFoundException next) {
                    continue;
                }
            }
            throw new IllegalArgumentException("no class for " + name);
        }
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        BufferedWriter out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            ObjectNode answer;
            try {
                JsonNode request = MAPPER.readTree(line);
                answer = request.get("op").asText().equals("tables") ? tables() : convert(request);
            } catch (Throwable failure) {
                Throwable cause = failure.getCause() == null ? failure : failure.getCause();
                answer = MAPPER.createObjectNode().put("error", cause.toString());
            }
            out.write(MAPPER.writeValueAsString(answer));
            out.write('\n');
            if (!in.ready()) out.flush();
        }
        out.flush();
    }

    private static ObjectNode convert(JsonNode request) throws Exception {
        String name = request.get("name").asText();
        short version = (short) request.get("version").asInt();
        Codec codec = CODECS.get(name);
        if (codec == null) {
            codec = Codec.of(name);
            CODECS.put(name, codec);
        }
        Message written = (Message) codec.fromJson().invoke(null, request.get("json"), version);
        ByteBuffer buffer = MessageUtil.toByteBufferAccessor(written, version).buffer();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);

        ByteBuffer given = ByteBuffer.wrap(Base64.getDecoder().decode(request.get("bytes").asText()));
        Object read = codec.reader().newInstance(new ByteBufferAccessor(given), version);
        if (given.hasRemaining()) throw new IllegalStateException(given.remaining() + " bytes too many");

        ObjectNode answer = MAPPER.createObjectNode();
        answer.put("bytes", Base64.getEncoder().encodeToString(bytes));
        answer.set("json", (JsonNode) codec.toJson().invoke(null, read, version, false));
        return answer;
    }

    private static ObjectNode tables() {
        ObjectNode answer = MAPPER.createObjectNode();
        ArrayNode apis = answer.putArray("apis");
        for (ApiMessageType type : ApiMessageType.values()) {
            short lowest = type.lowestSupportedVersion();
            short highest = type.highestSupportedVersion(true);
            if (highest < lowest) continue;
            ObjectNode api = apis.addObject();
            api.put("key", type.apiKey());
            api.put("name", type.name);
            api.put("minVersion", lowest);
            api.put("maxVersion", type.highestSupportedVersion(false));
            ArrayNode requestHeaders = api.putArray("requestHeaders");
            ArrayNode responseHeaders = api.putArray("responseHeaders");
            for (short version = lowest; version <= highest; version++) {
                requestHeaders.add(type.requestHeaderVersion(version));
                responseHeaders.add(type.responseHeaderVersion(version));
            }
        }
        ArrayNode errors = answer.putArray("errors");
        for (Errors error : Errors.values()) {
            ObjectNode entry = errors.addObject();
            entry.put("code", error.code());
            entry.put("name", error.name());
            entry.put("retriable", error.exception() instanceof RetriableException);
        }
        return answer;
    }
}
