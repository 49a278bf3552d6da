"""What a flow costs in operations that Google bills: counted at the ports, and on the wire beside it."""
