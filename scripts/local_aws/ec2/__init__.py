"""EC2: what Terraform writes of a network is what it reads back."""
