// The producer of the bench: librdkafka as fast as it goes, or as fast as the settings let it. Counts what was
// acknowledged after the warm-up and how long each record took from produce() to its delivery report.
//
// Usage: load BOOTSTRAP TOPIC PARTITIONS RECORD_BYTES WARMUP_SECONDS SECONDS [setting=value …]
// Prints one line of JSON. Exits 1 when any record failed.

#include <librdkafka/rdkafka.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

// Latencies in microseconds, in buckets of at most 1/64 of their value.
#define SUB_BITS 6
#define BUCKETS (64 << SUB_BITS)

static uint64_t histogram[BUCKETS];
static uint64_t acknowledged, failed;
static int64_t warmEndUs, endUs;
static char firstError[256];

static int64_t nowUs(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int bucketOf(uint64_t us) {
  if (us < (1u << SUB_BITS)) return (int)us;
  int shift = 63 - __builtin_clzll(us) - SUB_BITS;
  int bucket = ((shift + 1) << SUB_BITS) + (int)((us >> shift) & ((1u << SUB_BITS) - 1));
  return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static uint64_t valueOf(int bucket) {
  if (bucket < (1 << SUB_BITS)) return (uint64_t)bucket;
  int shift = (bucket >> SUB_BITS) - 1;
  return ((uint64_t)(1 << SUB_BITS) + (bucket & ((1 << SUB_BITS) - 1))) << shift;
}

static uint64_t percentile(double share) {
  uint64_t total = 0, seen = 0;
  for (int i = 0; i < BUCKETS; i++) total += histogram[i];
  for (int i = 0; i < BUCKETS; i++) {
    seen += histogram[i];
    if (seen > 0 && seen >= share * total) return valueOf(i);
  }
  return 0;
}

static void onDelivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque) {
  (void)kafka;
  (void)opaque;
  if (message->err) {
    if (failed++ == 0) snprintf(firstError, sizeof firstError, "%s", rd_kafka_err2str(message->err));
    return;
  }
  int64_t now = nowUs();
  if (now < warmEndUs || now > endUs) return;
  acknowledged++;
  histogram[bucketOf((uint64_t)(now - (int64_t)(intptr_t)message->_private))]++;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
  char error[256];
  if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) {
    fprintf(stderr, "%s\n", error);
    exit(2);
  }
}

static double cpuSeconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
  if (argc < 7) return fprintf(stderr, "usage: load BOOTSTRAP TOPIC PARTITIONS BYTES WARMUP SECONDS [setting=value]\n"), 2;
  int partitions = atoi(argv[3]);
  size_t bytes = (size_t)atol(argv[4]);
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", argv[1]);
  set(conf, "acks", "all");
  for (int i = 7; i < argc; i++) {
    char *equals = strchr(argv[i], '=');
    if (!equals) return fprintf(stderr, "not a setting: %s\n", argv[i]), 2;
    *equals = 0;
    set(conf, argv[i], equals + 1);
  }
  rd_kafka_conf_set_dr_msg_cb(conf, onDelivery);
  char error[256];
  rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
  if (!kafka) return fprintf(stderr, "%s\n", error), 2;
  rd_kafka_topic_t *topic = rd_kafka_topic_new(kafka, argv[2], NULL);

  // Records are windows of one pool of random bytes, so that nothing on the way can compress or share them.
  const size_t poolBytes = 8 << 20;
  char *pool = malloc(poolBytes + bytes);
  uint64_t state = 88172645463325252ull;
  for (size_t i = 0; i < poolBytes + bytes; i++) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    pool[i] = (char)state;
  }

  int64_t startUs = nowUs();
  warmEndUs = startUs + (int64_t)(atof(argv[5]) * 1e6);
  endUs = warmEndUs + (int64_t)(atof(argv[6]) * 1e6);
  double warmCpu = -1;
  size_t at = 0;
  for (uint64_t i = 0;; i++) {
    int64_t now = nowUs();
    if (now >= endUs) break;
    if (warmCpu < 0 && now >= warmEndUs) warmCpu = cpuSeconds();
    at = (at + 4099) % poolBytes;
    while (rd_kafka_produce(topic, (int32_t)(i % (uint64_t)partitions), 0, pool + at, bytes, NULL, 0, (void *)(intptr_t)now) == -1) {
      if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        fprintf(stderr, "%s\n", rd_kafka_err2str(rd_kafka_last_error()));
        return 2;
      }
      rd_kafka_poll(kafka, 5);
      now = nowUs();
      if (now >= endUs) break;
    }
    if ((i & 63) == 0) rd_kafka_poll(kafka, 0);
  }
  double cpu = cpuSeconds() - warmCpu;
  rd_kafka_flush(kafka, 30000);
  double seconds = (endUs - warmEndUs) / 1e6;
  printf("{\"records\":%llu,\"failed\":%llu,\"left\":%d,\"error\":\"%s\",\"seconds\":%.3f,\"recordsPerSecond\":%.0f,"
         "\"megabytesPerSecond\":%.1f,\"p50Ms\":%.3f,\"p99Ms\":%.3f,\"clientCpuSeconds\":%.2f}\n",
         (unsigned long long)acknowledged, (unsigned long long)failed, rd_kafka_outq_len(kafka), firstError, seconds,
         acknowledged / seconds, acknowledged / seconds * bytes / 1e6, percentile(0.5) / 1e3, percentile(0.99) / 1e3, cpu);
  return failed > 0 || rd_kafka_outq_len(kafka) > 0;
}
