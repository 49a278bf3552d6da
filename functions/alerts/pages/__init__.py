"""What people open from chat without a key: signed pages and charts."""
