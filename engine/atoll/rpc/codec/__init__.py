"""Domain values to protobuf messages and back. Strict: what this code would not have sent is refused, typed."""
