"""Depth of images, without ROS: predictor, camera model, geometry, scale, smoothing, colours."""
