//! Forward propagation: linear layers chained with activations.
