"""What the launch scripts share. Never imported by ``container_src``, and never imports it."""
