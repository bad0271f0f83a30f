"""S2R-DepthNet for ROS 2: metric depth from any camera."""
