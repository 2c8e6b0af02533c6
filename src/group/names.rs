//! What follows from a name or makes one: the partition of a group, the id of a new member.

/// Kafka's `Utils.abs(groupId.hashCode) % partitions`; Java hashes UTF-16 code units.
pub(super) fn partition_for(group_id: &str, partition_count: i32) -> i32 {
    let hash = group_id
        .encode_utf16()
        .fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    // The absolute value of the smallest number is 0 there.
    hash.checked_abs().unwrap_or(0) % partition_count.max(1)
}

/// A random UUID (version 4) from these bytes.
pub(super) fn uuid_v4(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_go_where_java_puts_them() {
        // Values of java.lang.String.hashCode: "" 0, "my-group" 1482180117 …
        assert_eq!(partition_for("", 50), 0);
        assert_eq!(partition_for("a", 50), 97 % 50);
        assert_eq!(partition_for("ab", 1000), (97 * 31 + 98) % 1000);
        // A surrogate pair counts as two units.
        assert_eq!(
            partition_for("\u{1F600}", 1_000_000),
            (0xD83D * 31 + 0xDE00) % 1_000_000
        );
        // "polygenelubricants" hashes to the smallest number, whose absolute value Kafka takes for 0.
        assert_eq!(partition_for("polygenelubricants", 50), 0);
    }

    #[test]
    fn member_ids_end_in_a_random_uuid() {
        assert_eq!(uuid_v4([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid_v4([0; 16]), "00000000-0000-4000-8000-000000000000");
    }
}
