"""Layouts of the keys by which clusters are administered, in the form of wire.py. Decides nothing else."""

from wire import Api

DELETE_TOPICS = Api(20, "1-6", 4, """
topics []topic 6+
  name string 6+ ?6+
  topic_id uuid 6+
names []string 0-5
timeout_ms int32 0+ 10000
""", """
throttle_ms int32 1+
topics []topic 0+
  name string 0+ ?6+
  topic_id uuid 6+
  error int16 0+
  message string 5+ ?5+
""")

DELETE_RECORDS = Api(21, "0-2", 2, """
topics []topic 0+
  name string 0+
  partitions []partition 0+
    index int32 0+
    offset int64 0+
timeout_ms int32 0+ 10000
""", """
throttle_ms int32 0+
topics []topic 0+
  name string 0+
  partitions []partition 0+
    index int32 0+
    low_watermark int64 0+
    error int16 0+
""")

OFFSET_FOR_LEADER_EPOCH = Api(23, "2-4", 4, """
replica_id int32 3+ -2
topics []topic 0+
  name string 0+
  partitions []partition 0+
    index int32 0+
    current_epoch int32 2+ -1
    epoch int32 0+
""", """
throttle_ms int32 2+
topics []topic 0+
  name string 0+
  partitions []partition 0+
    error int16 0+
    index int32 0+
    epoch int32 1+
    end_offset int64 0+
""")

DESCRIBE_CONFIGS = Api(32, "1-4", 4, """
resources []resource 0+
  type int8 0+
  name string 0+
  keys []string 0+ ?0+ null
synonyms bool 1+
documentation bool 3+
""", """
throttle_ms int32 0+
results []result 0+
  error int16 0+
  message string 0+ ?0+
  type int8 0+
  name string 0+
  configs []config 0+
    name string 0+
    value string 0+ ?0+
    read_only bool 0+
    source int8 1+
    sensitive bool 0+
    synonyms []synonym 1+
      name string 1+
      value string 1+ ?0+
      source int8 1+
    type int8 3+
    documentation string 3+ ?0+
""")

ALTER_CONFIGS = Api(33, "0-2", 2, """
resources []resource 0+
  type int8 0+
  name string 0+
  configs []config 0+
    name string 0+
    value string 0+ ?0+
validate_only bool 0+
""", """
throttle_ms int32 0+
results []result 0+
  error int16 0+
  message string 0+ ?0+
  type int8 0+
  name string 0+
""")

DESCRIBE_LOG_DIRS = Api(35, "1-5", 2, """
topics []topic 0+ ?0+
  name string 0+
  partitions []int32 0+
""", """
throttle_ms int32 0+
error int16 3+
dirs []dir 0+
  error int16 0+
  path string 0+
  topics []topic 0+
    name string 0+
    partitions []partition 0+
      index int32 0+
      size int64 0+
      lag int64 0+
      future bool 0+
  total int64 4+ -1
  usable int64 4+ -1
  cordoned bool 5+
""")

CREATE_PARTITIONS = Api(37, "0-3", 2, """
topics []topic 0+
  name string 0+
  count int32 0+
  assignments []assignment 0+ ?0+ null
    brokers []int32 0+
timeout_ms int32 0+ 10000
validate_only bool 0+
""", """
throttle_ms int32 0+
topics []topic 0+
  name string 0+
  error int16 0+
  message string 0+ ?0+
""")

INCREMENTAL_ALTER_CONFIGS = Api(44, "0-1", 1, """
resources []resource 0+
  type int8 0+
  name string 0+
  configs []config 0+
    name string 0+
    op int8 0+
    value string 0+ ?0+
validate_only bool 0+
""", """
throttle_ms int32 0+
results []result 0+
  error int16 0+
  message string 0+ ?0+
  type int8 0+
  name string 0+
""")

DESCRIBE_QUORUM = Api(55, "0-2", 0, """
topics []topic 0+
  name string 0+
  partitions []partition 0+
    index int32 0+
""", """
error int16 0+
message string 2+ ?2+
topics []topic 0+
  name string 0+
  partitions []partition 0+
    index int32 0+
    error int16 0+
    message string 2+ ?2+
    leader int32 0+
    epoch int32 0+
    high_watermark int64 0+
    voters []voter 0+
      id int32 0+
      directory uuid 2+
      end int64 0+
      last_fetch int64 1+
      last_caught_up int64 1+
    observers []voter 0+
      id int32 0+
      directory uuid 2+
      end int64 0+
      last_fetch int64 1+
      last_caught_up int64 1+
nodes []node 2+
  id int32 2+
  listeners []listener 2+
    name string 2+
    host string 2+
    port uint16 2+
""")

DESCRIBE_CLUSTER = Api(60, "0-2", 0, """
operations bool 0+
endpoint_type int8 1+ 1
fenced bool 2+
""", """
throttle_ms int32 0+
error int16 0+
message string 0+ ?0+
endpoint_type int8 1+
cluster_id string 0+
controller_id int32 0+
brokers []broker 0+
  id int32 0+
  host string 0+
  port int32 0+
  rack string 0+ ?0+
  fenced bool 2+
operations int32 0+
""")

DESCRIBE_PRODUCERS = Api(61, "0-0", 0, """
topics []topic 0+
  name string 0+
  partitions []int32 0+
""", """
throttle_ms int32 0+
topics []topic 0+
  name string 0+
  partitions []partition 0+
    index int32 0+
    error int16 0+
    message string 0+ ?0+
    producers []producer 0+
      id int64 0+
      epoch int32 0+
      last_sequence int32 0+
      last_timestamp int64 0+
      coordinator_epoch int32 0+
      txn_start int64 0+
""")

LIST_CONFIG_RESOURCES = Api(74, "0-1", 0, """
types []int8 1+
""", """
throttle_ms int32 0+
error int16 0+
resources []resource 0+
  name string 0+
  type int8 1+
""")

DESCRIBE_TOPIC_PARTITIONS = Api(75, "0-0", 0, """
topics []topic 0+
  name string 0+
limit int32 0+ 2000
cursor cursor 0+ ?0+ null
  name string 0+
  index int32 0+
""", """
throttle_ms int32 0+
topics []topic 0+
  error int16 0+
  name string 0+ ?0+
  topic_id uuid 0+
  is_internal bool 0+
  partitions []partition 0+
    error int16 0+
    index int32 0+
    leader int32 0+
    leader_epoch int32 0+
    replicas []int32 0+
    isr []int32 0+
    elr []int32 0+ ?0+
    last_elr []int32 0+ ?0+
    offline []int32 0+
  operations int32 0+
cursor cursor 0+ ?0+
  name string 0+
  index int32 0+
""")
