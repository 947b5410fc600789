//! Losses computed from logits.

use super::networks::normals;
use equilibria::nn::gradient_check;
use equilibria::nn::losses::{
    binary_cross_entropy, minimax, non_saturating, softmax_cross_entropy, wasserstein,
};

/// Checks the gradient that `loss` writes at `logits`.
fn check(what: &str, logits: &[f64], loss: &dyn Fn(&[f64], &mut [f64]) -> f64) {
    let report = gradient_check::loss(logits, |d, g| Ok(loss(d, g))).unwrap();
    assert!(report.passes() && report.compared == logits.len(), "{what}: {report}");
}

#[test]
fn is_every_loss_differentiated() {
    let logits: Vec<f64> = normals(14, 1).iter().map(|d| 3.0 * d).collect();
    for target in [0.0, 0.1, 0.9, 1.0] {
        check(&format!("binary cross-entropy with target {target}"), &logits, &|d, g| {
            binary_cross_entropy(d, target, g)
        });
    }
    check("minimax", &logits, &|d, g| minimax(d, g));
    check("non-saturating", &logits, &|d, g| non_saturating(d, g));
    for weight in [1.0, -1.0] {
        check("Wasserstein", &logits, &|d, g| wasserstein(d, weight, g));
    }
    check("softmax cross-entropy", &logits, &|d, g| softmax_cross_entropy(d, &[3, 0], g).unwrap());
}

#[test]
fn does_a_loss_with_a_wrong_gradient_fail() {
    let wrong = |d: &[f64], g: &mut [f64]| {
        let value = non_saturating(d, g);
        g[2] *= 1.0 + 1e-4;
        Ok(value)
    };
    let report = gradient_check::loss(&normals(5, 1), wrong).unwrap();
    assert!(!report.passes() && report.coordinate == "logits[2]", "{report}");
    assert!((report.error - 1e-4).abs() < 1e-6, "{report}");
}

#[test]
fn are_losses_correct_at_extreme_logits() {
    let mut gradient = [0.0; 1];
    for (d, loss, slope) in [(800.0, 800.0, 1.0), (-800.0, 0.0, 0.0), (f64::MAX, f64::MAX, 1.0)] {
        assert_eq!(
            (binary_cross_entropy(&[d], 0.0, &mut gradient), gradient),
            (loss, [slope]),
            "target 0 at {d}"
        );
        assert_eq!(
            (binary_cross_entropy(&[-d], 1.0, &mut gradient), gradient),
            (loss, [-slope]),
            "target 1 at {d}"
        );
        assert_eq!((minimax(&[d], &mut gradient), gradient), (-loss, [-slope]), "minimax at {d}");
        assert_eq!(
            (non_saturating(&[-d], &mut gradient), gradient),
            (loss, [-slope]),
            "non-saturating at {d}"
        );
    }
    // In the far tail, a loss and its derivative are e^-d, not 0.
    assert!((non_saturating(&[50.0], &mut gradient) / (-50.0_f64).exp() - 1.0).abs() < 1e-14);
    assert!((gradient[0] / -(-50.0_f64).exp() - 1.0).abs() < 1e-14);
    let mut gradient = [0.0; 3];
    let loss = softmax_cross_entropy(&[1e300, -1e300, 0.0], &[0], &mut gradient).unwrap();
    assert_eq!((loss, gradient), (0.0, [0.0; 3]));
    assert!(softmax_cross_entropy(&[f64::NAN, 0.0, 0.0], &[1], &mut gradient).unwrap().is_nan());
    assert!(binary_cross_entropy(&[f64::NAN], 1.0, &mut [0.0]).is_nan());
}

#[test]
fn are_labels_and_logits_that_do_not_match_refused() {
    let refused = |logits: &[f64], labels: &[u8], gradient: &mut [f64]| {
        softmax_cross_entropy(logits, labels, gradient).unwrap_err().to_string()
    };
    assert!(refused(&[0.0; 6], &[0, 3], &mut [0.0; 6]).contains("label 3 of row 1 of logits (2, 3)"));
    assert!(refused(&[0.0; 5], &[0, 1], &mut [0.0; 5]).contains("(2, 2), found (5)"));
    assert!(refused(&[0.0; 6], &[0, 1], &mut [0.0; 5]).contains("(2, 3), found (5)"));
}
