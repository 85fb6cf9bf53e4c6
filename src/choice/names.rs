//! [`Activation`] as text: what is written, what is read, and what is said of anything else.

use core::fmt;
use core::str::FromStr;

use super::Activation;

/// Where PyTorch keeps its modules and functions; other prefixes stand for other defaults.
const PREFIXES: [&str; 6] =
    ["torch.nn.functional.", "torch.nn.", "torch.", "nn.functional.", "nn.", "F."];

/// Parameters that other libraries call by other names: the activation, their name in lower case
/// without separators, and ours; `None` where it cannot change a result of ours.
///
/// PyTorch's `threshold` of softplus is where it gives up the formula for `x`.
const DIALECTS: &[(&str, &str, Option<&str>)] = &[
    ("leaky_relu", "alpha", Some("negative_slope")),
    ("thresholded_relu", "theta", Some("alpha")),
    ("hard_tanh", "minval", Some("min")),
    ("hard_tanh", "maxval", Some("max")),
    ("hard_sigmoid", "alpha", Some("slope")),
    ("hard_sigmoid", "beta", Some("offset")),
    ("swish", "alpha", Some("beta")),
    ("soft_shrink", "lambd", Some("lambda")),
    ("soft_shrink", "threshold", Some("lambda")),
    ("hard_shrink", "lambd", Some("lambda")),
    ("hard_shrink", "threshold", Some("lambda")),
    ("shrink", "lambd", Some("lambda")),
    ("softplus", "threshold", None),
    ("threshold", "defaultvalue", Some("value")),
];

/// Names of what is here under another roof, folded, and where.
const ELSEWHERE: &[(&str, &str)] = &[
    ("softmax", "it is of all elements along an axis: x.softmax(Axis(1))"),
    ("logsoftmax", "it is of all elements along an axis: x.log_softmax(Axis(1))"),
    ("softmin", "it is of all elements along an axis: x.softmin(Axis(1))"),
    ("hardmax", "it is of all elements along an axis: x.hardmax(Axis(1))"),
    ("sparsemax", "it is of all elements along an axis: x.sparsemax(Axis(1))"),
    ("glu", "it is of two halves: the function glu"),
    ("geglu", "it is of two halves: the function geglu"),
    ("reglu", "it is of two halves: the function reglu"),
    ("swiglu", "it is of two halves: the function swiglu"),
    ("bilinear", "it is of two halves: the function bilinear"),
    ("prelu", "its slopes are weights: the type Prelu"),
    ("rrelu", "its slope is random in training, and then leaky_relu of the mean of its bounds"),
];

/// Why a text, or a set of parameters, is no [`Activation`].
#[derive(Clone, Debug, PartialEq)]
pub struct ActivationError(Reason);

#[derive(Clone, Debug, PartialEq)]
enum Reason {
    UnknownName { name: String },
    Syntax { text: String },
    UnknownParameter { of: Activation, name: String },
    Twice { of: Activation, name: &'static str },
    TooMany { of: Activation, given: usize },
    NoNumber { of: Activation, name: &'static str, value: String },
    BadValue { of: Activation, reason: &'static str },
}

impl ActivationError {
    pub(super) fn bad_value(of: Activation, reason: &'static str) -> Self {
        Self(Reason::BadValue { of, reason })
    }
}

impl core::error::Error for ActivationError {}

impl fmt::Display for ActivationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters = |of: Activation| match of.parameters().as_slice() {
            [] => format!("{} takes no parameters", of.name()),
            [(one, _)] => format!("{} takes {one}", of.name()),
            [(one, _), (two, _), ..] => format!("{} takes {one} and {two}", of.name()),
        };
        match &self.0 {
            Reason::UnknownName { name } => {
                write!(f, "unknown activation {name:?}")?;
                let folded = fold(strip_prefix(name));
                if let Some((_, place)) = ELSEWHERE.iter().find(|(name, _)| *name == folded) {
                    return write!(f, "; {place}");
                }
                match near(name).as_slice() {
                    [] => {
                        let all: Vec<_> = Activation::ALL.iter().map(|op| op.name()).collect();
                        write!(f, "; there are {}", all.join(", "))
                    }
                    [near @ .., last] if !near.is_empty() => {
                        write!(f, "; did you mean {} or {last}?", near.join(", "))
                    }
                    [one, ..] => write!(f, "; did you mean {one}?"),
                }
            }
            Reason::Syntax { text } => {
                write!(f, "{text:?} is not of the form name or name(parameter=value, ...)")
            }
            Reason::UnknownParameter { of, name } => {
                write!(f, "unknown parameter {name:?}: {}", parameters(*of))
            }
            Reason::Twice { of, name } => write!(f, "{}: {name} is given twice", of.name()),
            Reason::TooMany { of, given } => {
                let are = if *given == 1 { "parameter is" } else { "parameters are" };
                write!(f, "{given} {are} too many: {}", parameters(*of))
            }
            Reason::NoNumber { of, name, value } => {
                write!(f, "{}: {name} must be a number, got {value:?}", of.name())
            }
            Reason::BadValue { of, reason } => write!(f, "{of:?}: {reason}"),
        }
    }
}

/// The canonical name, and behind it the parameters that differ from their defaults.
impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = find(&fold(self.name())).map(Self::parameters).unwrap_or_default();
        let changed: Vec<_> = self
            .parameters()
            .into_iter()
            .zip(default)
            .filter(|((_, value), (_, usual))| value.to_bits() != usual.to_bits())
            .map(|((name, value), _)| format!("{name}={value:?}"))
            .collect();
        if changed.is_empty() {
            f.pad(self.name())
        } else {
            f.pad(&format!("{}({})", self.name(), changed.join(", ")))
        }
    }
}

impl FromStr for Activation {
    type Err = ActivationError;

    /// # Errors
    /// If the name is unknown (the error lists near ones), or a parameter is unknown, given twice,
    /// one too many, not a number, or out of its range.
    fn from_str(text: &str) -> Result<Self, ActivationError> {
        let text = text.trim();
        let syntax = || ActivationError(Reason::Syntax { text: text.to_owned() });
        let (name, arguments) = match text.split_once('(') {
            None => (text, ""),
            Some((name, rest)) => (name.trim_end(), rest.strip_suffix(')').ok_or_else(syntax)?),
        };
        let arguments = match arguments.trim().strip_suffix(',') {
            Some(before) if !before.is_empty() => before,
            _ => arguments.trim(),
        };
        let mut values = Vec::new();
        let mut key = fold(strip_prefix(name));
        let is_gelu = key == "gelu";
        for argument in arguments.split(',').filter(|_| !arguments.is_empty()) {
            let (parameter, value) = match argument.split_once('=') {
                None => (None, argument.trim()),
                Some((parameter, value)) => (Some(parameter.trim()), value.trim()),
            };
            if value.is_empty() || parameter == Some("") {
                return Err(syntax());
            }
            match parameter.map(fold).as_deref() {
                // PyTorch prints it beside the parameters.
                Some("inplace") if is_flag(value) => {}
                // The variant is a name of its own here: gelu with approximate='tanh' is gelu_tanh.
                Some("approximate") if is_gelu => key.push_str(variant(value)),
                None if is_gelu && unquoted(value).is_some() => key.push_str(variant(value)),
                _ => values.push((parameter, value)),
            }
        }
        let Some(mut op) = find(&key) else {
            let reason = match find(&fold(strip_prefix(name))) {
                Some(of) => Reason::UnknownParameter { of, name: "approximate".to_owned() },
                None => Reason::UnknownName { name: name.to_owned() },
            };
            return Err(ActivationError(reason));
        };
        op.set(&values).map_err(ActivationError)?;
        op.check()?;
        Ok(op)
    }
}

impl Activation {
    fn set(&mut self, values: &[(Option<&str>, &str)]) -> Result<(), Reason> {
        let of = *self;
        let dialects = || DIALECTS.iter().filter(|(name, ..)| *name == of.name());
        let mut parameters = self.parameters_mut();
        let (mut given, mut ignored) = (vec![false; parameters.len()], None);
        for (position, (key, value)) in values.iter().enumerate() {
            let index = match key {
                // All that PyTorch has there.
                None if matches!(of, Self::HardSigmoid { .. })
                    && is_flag(value)
                    && values.len() == 1 =>
                {
                    continue;
                }
                None if position < parameters.len() => position,
                None => {
                    // PyTorch has what changes nothing here behind the others; `True` of gelu would change something.
                    let is_number = position == parameters.len() && value.parse::<f64>().is_ok();
                    let is_ignored = is_number && dialects().any(|(.., ours)| ours.is_none())
                        || is_flag(value) && !matches!(of, Self::Gelu | Self::GeluTanh);
                    let is_twice = is_number && ignored.is_some();
                    if is_ignored && !is_twice && position + 1 == values.len() {
                        continue;
                    }
                    return Err(Reason::TooMany { of, given: values.len() });
                }
                Some(name) => {
                    let key = &fold(name);
                    let ours = match dialects().find(|(_, theirs, _)| theirs == key) {
                        Some((_, name, None)) => {
                            if ignored.replace(*name) == Some(*name) {
                                return Err(Reason::Twice { of, name });
                            }
                            number(of, name, value)?;
                            continue;
                        }
                        Some((_, _, Some(ours))) => fold(ours),
                        None => key.clone(),
                    };
                    match parameters.iter().position(|(name, _)| fold(name) == ours) {
                        Some(index) => index,
                        None => {
                            return Err(Reason::UnknownParameter { of, name: (*name).to_owned() });
                        }
                    }
                }
            };
            let name = parameters[index].0;
            if core::mem::replace(&mut given[index], true) {
                return Err(Reason::Twice { of, name });
            }
            *parameters[index].1 = number(of, name, value)?;
        }
        Ok(())
    }
}

fn number(of: Activation, name: &'static str, value: &str) -> Result<f64, Reason> {
    value.parse().map_err(|_| Reason::NoNumber { of, name, value: value.to_owned() })
}

/// A name as it is compared: in lower case, without separators.
fn fold(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '_' | '-') && !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect()
}

/// A name without the modules of PyTorch before it.
fn strip_prefix(name: &str) -> &str {
    PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

fn unquoted(value: &str) -> Option<&str> {
    ['\'', '"'].iter().find_map(|&quote| value.strip_prefix(quote)?.strip_suffix(quote))
}

fn is_flag(value: &str) -> bool {
    value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false")
}

/// The end of the name that a value of `approximate` stands for.
fn variant(value: &str) -> &str {
    match unquoted(value).unwrap_or(value) {
        "True" | "true" | "tanh" => "tanh",
        "False" | "false" | "none" => "none",
        // In no name.
        _ => "(",
    }
}

/// The activation with this folded name or alias, with default parameters.
fn find(key: &str) -> Option<Activation> {
    Activation::ALL
        .iter()
        .copied()
        .find(|op| fold(op.name()) == key)
        .or_else(|| Activation::ALL.iter().copied().find(|op| op.aliases().contains(&key)))
}

/// Canonical names that a misspelt one may mean, nearest first, at most four.
fn near(name: &str) -> Vec<&'static str> {
    let name = fold(name.rsplit('.').next().unwrap_or(name));
    let limit = 1 + name.chars().count() / 4;
    let mut near: Vec<_> = Activation::ALL
        .iter()
        .filter_map(|op| {
            let own = fold(op.name());
            let distance = core::iter::once(own.as_str())
                .chain(op.aliases().iter().copied())
                .map(|known| edits(&name, known))
                .min()?;
            (distance <= limit).then_some((distance, op.name()))
        })
        .collect();
    near.sort();
    near.into_iter().take(4).map(|(_, name)| name).collect()
}

/// How many letters must be put in, left out, replaced or swapped with their neighbour to turn one
/// text into the other (optimal string alignment distance).
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<_>, Vec<_>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best.min(rows[i - 2][j - 2] + 1)
                } else {
                    best
                }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_of_neighbours_is_one_edit() {
        assert_eq!(edits("sigmiod", "sigmoid"), 1);
        assert_eq!(edits("", "relu"), 4);
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("gelu", "gelu"), 0);
    }

    #[test]
    fn every_dialect_names_an_activation_and_a_parameter_of_it() {
        for (name, theirs, ours) in DIALECTS {
            let op = find(&fold(name)).expect(name);
            assert_eq!(op.name(), *name);
            let own: Vec<_> = op.parameters().into_iter().map(|(name, _)| name).collect();
            assert!(ours.is_none_or(|ours| own.contains(&ours)), "{name}: {ours:?}");
            assert!(own.iter().all(|own| fold(own) != *theirs), "{name}: {theirs} is our own");
        }
    }

    #[test]
    fn no_folded_name_stands_for_two_activations() {
        let mut seen = std::collections::BTreeMap::new();
        for op in Activation::ALL {
            let aliases = op.aliases().iter().map(|&alias| alias.to_owned());
            for name in aliases.chain([fold(op.name())]) {
                assert_eq!(name, fold(&name), "aliases are written folded");
                if let Some(other) = seen.insert(name.clone(), op.name()) {
                    panic!("{name} stands for {other} and {}", op.name());
                }
            }
        }
    }
}
