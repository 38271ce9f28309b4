//! Whether a login tells by its time that there is such a user (I04): known and unknown names, interleaved in a random
//! order, and two tests of whether both samples are of one kind.
//!
//! Welch's t compares the means, Mann and Whitney's U the ranks. For samples of this size both are normal under the
//! hypothesis that there is no difference, so |z| below 1.96 is what chance alone gives in 19 of 20 runs.

use std::{error::Error, hint::black_box, net::IpAddr, time::Duration, time::Instant};

use hardtack::{
    Keyring, Sessions,
    login::{Login, MemoryUsers, Passwords, Quota, Throttle, User, Visitor},
};
use rand::seq::SliceRandom;

/// Samples of each kind.
const SAMPLES: usize = 400;
/// Users in the table.
const USERS: usize = 1000;

/// Measures and prints.
pub fn run() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (known, unknown) = runtime.block_on(measure())?;
    println!("a wrong password for a known and for an unknown name, {SAMPLES} samples each, interleaved, in µs");
    for (name, sample) in [("known", &known), ("unknown", &unknown)] {
        let sorted = sorted(sample);
        let (mean, deviation) = (mean(sample), variance(sample).sqrt());
        println!("{name:8} mean {mean:9.1}  deviation {deviation:8.1}  median {:9.1}", sorted[sorted.len() / 2]);
    }
    for (test, z) in [("Welch's t", welch(&known, &unknown)), ("Mann-Whitney U", mann_whitney(&known, &unknown))] {
        let verdict = if z.abs() < 1.96 { "no difference is seen" } else { "THEY DIFFER" };
        println!("{test:15} z = {z:6.2}  two-sided p = {:.3}  {verdict}", two_sided(z));
    }
    Ok(())
}

async fn measure() -> Result<(Vec<f64>, Vec<f64>), Box<dyn Error>> {
    let sessions = Sessions::stateless(Keyring::ephemeral()?).build()?;
    let (passwords, users) = (Passwords::new()?, MemoryUsers::new());
    let hash = passwords.hash("four biscuits a day").await?;
    for number in 0..USERS {
        let name = format!("user{number}");
        users.set(User { owner: name.clone(), name, hash: hash.clone(), disabled: false });
    }
    let roomy = Quota::new(10_000, Duration::from_secs(1))?;
    let login = Login::new(passwords, users).throttle(Throttle::in_memory().account(roomy).source(roomy));
    let visitor = Visitor::from_source(IpAddr::from([127, 0, 0, 1]));
    let mut order = [[true, false]; SAMPLES + 10].concat();
    order.shuffle(&mut rand::rng());
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for (turn, is_known) in order.into_iter().enumerate() {
        let name = if is_known { format!("user{}", turn % USERS) } else { format!("none{}", turn % USERS) };
        let request = sessions.begin([]);
        let session = request.session().await?;
        let start = Instant::now();
        let refused = login.sign_in(&session, &visitor, &name, "not the password").await;
        let micros = start.elapsed().as_secs_f64() * 1e6;
        assert!(black_box(refused).is_err());
        let sample = if is_known { &mut known } else { &mut unknown };
        sample.push(micros);
    }
    // The first few warm up.
    Ok((known.split_off(10), unknown.split_off(10)))
}

fn mean(sample: &[f64]) -> f64 {
    sample.iter().sum::<f64>() / sample.len() as f64
}

fn variance(sample: &[f64]) -> f64 {
    let mean = mean(sample);
    sample.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (sample.len() - 1) as f64
}

fn sorted(sample: &[f64]) -> Vec<f64> {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn welch(a: &[f64], b: &[f64]) -> f64 {
    (mean(a) - mean(b)) / (variance(a) / a.len() as f64 + variance(b) / b.len() as f64).sqrt()
}

fn mann_whitney(a: &[f64], b: &[f64]) -> f64 {
    let mut all: Vec<_> = a.iter().map(|value| (*value, true)).chain(b.iter().map(|value| (*value, false))).collect();
    all.sort_by(|x, y| x.0.total_cmp(&y.0));
    let ranks: f64 = all.iter().zip(1_u32..).filter(|((_, is_a), _)| *is_a).map(|(_, rank)| f64::from(rank)).sum();
    let (n, m) = (a.len() as f64, b.len() as f64);
    let u = ranks - n * (n + 1.0) / 2.0;
    (u - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt()
}

/// How often chance alone is as far off: the normal distribution, after Abramowitz and Stegun 7.1.26.
fn two_sided(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let series = [0.254_829_592, -0.284_496_736, 1.421_413_741, -1.453_152_027, 1.061_405_429];
    let polynomial = series.iter().rev().fold(0.0, |sum, factor| (sum + factor) * t);
    polynomial * (-x * x).exp()
}
