"""From images to depth, without ROS: predictor, camera model, geometry, scale, smoothing."""
