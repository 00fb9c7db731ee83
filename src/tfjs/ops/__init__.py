"""TensorFlow's operations, and what TF.js makes of them."""
