package kairos.bench;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.IOException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueBytesStoreSupplier;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * Job J on Kafka Streams: the processor API over a cached key-value store with its changelog.
 *
 * <p>Environment: BROKERS, GROUP, IN, OUT, WHERE, GUARANTEE, STORE (rocksdb, memory), THREADS, INSTANCE (its
 * own name for static membership; empty for none), REPARTITION. Says on standard output what it restored.
 */
public final class JobJ {
    static final ObjectMapper JSON = new ObjectMapper();
    static final ObjectReader POSTINGS = JSON.readerFor(Posting.class);
    static final ObjectReader SUBJECTS = JSON.readerFor(Subject.class);
    static final ObjectWriter WRITER = JSON.writer();
    static final String STORE = "customers";

    @JsonIgnoreProperties(ignoreUnknown = true)
    record Money(String amount) {
        long cents() {
            return Long.parseLong(amount.replace(".", ""));
        }
    }

    @JsonIgnoreProperties(ignoreUnknown = true)
    record Entry(
            Money amount,
            @JsonProperty("credit_debit_indicator") String indicator,
            @JsonProperty("balance_after") Money balance) {}

    @JsonIgnoreProperties(ignoreUnknown = true)
    record Posting(String subject, String time, Entry data) {}

    @JsonIgnoreProperties(ignoreUnknown = true)
    record Subject(String subject) {}

    record Trigger(String id, String type, String subject, String time, Map<String, Object> data) {}

    static final class Decide implements Processor<String, byte[], String, byte[]> {
        private ProcessorContext<String, byte[]> context;
        private KeyValueStore<String, byte[]> customers;

        @Override
        public void init(ProcessorContext<String, byte[]> context) {
            this.context = context;
            this.customers = context.getStateStore(STORE);
        }

        @Override
        public void process(Record<String, byte[]> record) {
            try {
                decide(record, POSTINGS.readValue(record.value()));
            } catch (IOException error) {
                throw new IllegalStateException(error);
            }
        }

        private void decide(Record<String, byte[]> record, Posting posting) throws IOException {
            Customer customer = Customer.of(customers.get(record.key()));
            Entry entry = posting.data();
            long amount = entry.amount().cents(), aum = entry.balance().cents();
            boolean credit = entry.indicator().equals("CRDT");
            double size = Math.log1p(amount);
            if (credit && customer.extreme(size)) {
                tell(record, posting, "funds.significant_inflow", date(posting), Map.of("amount", amount));
            }
            customer.flow(Instant.parse(posting.time()).toEpochMilli(), amount, credit);
            customer.count(size);
            customer.aum = aum;
            int old = customer.tier;
            customer.tier = Customer.tier(old, aum);
            if (customer.tier != old) {
                moved(record, posting, customer, old);
            }
            customers.put(record.key(), customer.bytes());
        }

        private void moved(Record<String, byte[]> record, Posting posting, Customer customer, int old) throws IOException {
            String kind = customer.tier > old ? "tier.upgraded" : "tier.downgraded";
            Map<String, Object> shown = new LinkedHashMap<>();
            shown.put("from", old);
            shown.put("to", customer.tier);
            shown.put("aum", customer.aum);
            shown.put("in30", customer.in30);
            shown.put("out30", customer.out30);
            tell(record, posting, kind, name(customer.tier) + "|" + name(old) + "|" + date(posting), shown);
        }

        private void tell(Record<String, byte[]> record, Posting posting, String kind, String key, Map<String, Object> shown)
                throws IOException {
            String id = kind + "|" + posting.subject() + "|" + key;
            Trigger told = new Trigger(id, kind, posting.subject(), posting.time(), shown);
            context.forward(record.withValue(WRITER.writeValueAsBytes(told)));
        }

        private static String name(int tier) {
            return tier == 0 ? "-" : Integer.toString(tier);
        }

        private static String date(Posting posting) {
            return posting.time().substring(0, 10);
        }
    }

    /** A line for each partition restored, as Kairos logs it. */
    static final class Restored implements StateRestoreListener {
        private final Map<TopicPartition, Long> began = new ConcurrentHashMap<>();

        @Override
        public void onRestoreStart(TopicPartition partition, String store, long first, long end) {
            began.put(partition, System.nanoTime());
        }

        @Override
        public void onBatchRestored(TopicPartition partition, String store, long last, long records) {}

        @Override
        public void onRestoreEnd(TopicPartition partition, String store, long records) {
            double seconds = (System.nanoTime() - began.remove(partition)) / 1e9;
            System.out.printf(
                    Locale.ROOT,
                    "{\"event\": \"partition restored\", \"time\": \"%s\", \"partition\": %d, \"records\": %d, \"seconds\": %.3f}%n",
                    Instant.now().truncatedTo(ChronoUnit.MILLIS), partition.partition(), records, seconds);
        }
    }

    static String subject(byte[] value) {
        try {
            return SUBJECTS.<Subject>readValue(value).subject();
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    public static void main(String[] arguments) {
        Map<String, String> given = System.getenv();
        Serde<String> text = Serdes.String();
        Serde<byte[]> bytes = Serdes.ByteArray();
        StreamsBuilder builder = new StreamsBuilder();
        KeyValueBytesStoreSupplier store = given.get("STORE").equals("memory")
                ? Stores.inMemoryKeyValueStore(STORE)
                : Stores.persistentKeyValueStore(STORE);
        builder.addStateStore(Stores.keyValueStoreBuilder(store, text, bytes).withCachingEnabled());
        KStream<String, byte[]> postings = builder.stream(given.get("IN"), Consumed.with(text, bytes));
        if (given.get("REPARTITION").equals("true")) {
            postings = postings.selectKey((key, value) -> subject(value)).repartition(Repartitioned.with(text, bytes));
        }
        postings.process(Decide::new, STORE).to(given.get("OUT"), Produced.with(text, bytes));
        KafkaStreams streams = new KafkaStreams(builder.build(), settings(given));
        streams.setGlobalStateRestoreListener(new Restored());
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    private static Properties settings(Map<String, String> given) {
        Properties found = new Properties();
        found.put(StreamsConfig.APPLICATION_ID_CONFIG, given.get("GROUP"));
        found.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, given.get("BROKERS"));
        found.put(StreamsConfig.STATE_DIR_CONFIG, given.get("WHERE"));
        found.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, given.get("GUARANTEE"));
        found.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, given.get("THREADS"));
        found.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, "1");
        found.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        if (!given.get("INSTANCE").isEmpty()) {
            found.put(StreamsConfig.consumerPrefix("group.instance.id"), given.get("INSTANCE"));
        }
        found.put(StreamsConfig.producerPrefix("compression.type"), "lz4");
        return found;
    }
}
