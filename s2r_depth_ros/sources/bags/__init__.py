"""Read ROS 2 bags, and report each message that a bag announces but does not hold."""
