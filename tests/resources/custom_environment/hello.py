import sagemaker_rl.coach_launcher

print("sagemaker_rl is importable")
