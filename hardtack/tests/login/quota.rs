//! [`Quota`]: the arithmetic of attempts.

use std::time::Duration;

use hardtack::login::Quota;

#[test]
fn a_quota_out_of_its_range_is_refused() {
    let quota = |burst, millis| Quota::new(burst, Duration::from_millis(millis));
    assert!(quota(1, 1000).is_ok() && quota(10_000, 86_400_000).is_ok());
    for (burst, millis) in [(0, 1000), (10_001, 1000), (1, 999), (1, 86_400_001), (u32::MAX, u64::MAX)] {
        assert!(quota(burst, millis).unwrap_err().to_string().contains("1 to 10,000"), "{burst} {millis}");
    }
}

/// At both ends of time nothing overflows.
#[test]
fn a_quota_survives_absurd_times() {
    let quota = Quota::new(10_000, Duration::from_secs(86_400)).unwrap();
    for now in [0, 1, u64::MAX - 1, u64::MAX] {
        for full_at in [0, 1, now, u64::MAX] {
            let _ = quota.take(full_at, now);
            let _ = quota.give_back(full_at);
        }
    }
    assert_eq!(quota.give_back(0), 0);
}
