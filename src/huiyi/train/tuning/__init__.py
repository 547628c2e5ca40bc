"""Fine-tuning: backbones, ways to tune them, the loop, and leaving torch again."""
