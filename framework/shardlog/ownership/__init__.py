"""Who should own which shard, and who says that it does: what stands on the control topic, read and written."""
